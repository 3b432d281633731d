# SPDX-License-Identifier: GPL-2.0-or-later
"""sunderd and the verbs that talk to it: its configuration, who may control it, and clients of every kind of badness. Runs no job."""

import contextlib
import fcntl
import grp
import json
import os
import pty
import random
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
import urllib.error
import urllib.request

from case import NOBODY, TREE, Skip, case

VERBS = {"status": ["--watch", "--json", "--socket"], "start": ["--now", "--socket"], "pause": ["--socket"],
         "resume": ["--socket"], "stop": ["--socket"], "tail": ["--follow", "--lines", "--json", "--socket"]}
JOB = "[slot heap]\nbacking = anon\nsize = 2pmd\n[lane use]\nops = touch\n"
# A campaign that never has its hour: the daemon stands ready and runs nothing.
CLOSED = "[campaign later]\njob = {box}/small.job\nwindow = {day}\n"
SECONDS = 60


def program(box):
    return os.path.join(os.path.dirname(box.binary), "sunderd")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Daemon:
    """A sunderd in the foreground; what it says on stderr is read all the time."""

    def __init__(self, box, *words, env=None):
        self.box, self.said = box, []
        self.process = subprocess.Popen([program(box), *words], cwd=box.dir, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True, env=os.environ | (env or {}))
        self.reader = threading.Thread(target=lambda: self.said.extend(self.process.stderr), daemon=True)
        self.reader.start()

    def status(self):
        return json.loads(self.box.sunder("status", "--json", "--socket", self.box.path("control")).expect(0).out)

    def wait_for(self, holds):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            assert self.process.poll() is None, f"sunderd ended: {''.join(self.said)}"
            # A socket may be there that the daemon before has left.
            answer = self.box.sunder("status", "--json", "--socket", self.box.path("control"))
            if answer.code == 0 and holds(json.loads(answer.out)):
                return json.loads(answer.out)
        raise AssertionError(f"it never came to that: {answer}\n{''.join(self.said)}")

    def memory(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self.reader.join(10)
        return self.process.returncode


@contextlib.contextmanager
def idle_daemon(box, more="", port=None, env=None):
    box.write("small.job", JOB)
    day = time.strftime("%a", time.localtime(time.time() + 3 * 86400)).lower()  # some other day
    text = f"[daemon]\nstate = {box.dir}/state\njobs = {box.dir}\nsocket = {box.dir}/control\n{more}\n"
    if port:
        text += f"listen = {port}\n"
    box.write("d.conf", text + CLOSED.format(box=box.dir, day=day))
    daemon = Daemon(box, "--config", "d.conf", env=env)
    try:
        daemon.wait_for(lambda doc: doc["state"] == "idle")
        yield daemon
        assert daemon.end() == 0, "".join(daemon.said)
    finally:
        if daemon.process.poll() is None:
            daemon.process.kill()
        assert "Sanitizer" not in "".join(daemon.said), "".join(daemon.said)


# The command lines


@case
def sunderd_has_help_and_a_version(box):
    box.sunder("--help", program=program(box)).expect(0, out="^usage: sunderd")
    assert box.sunder("--version", program=program(box)).expect(0).out.startswith("sunderd ")
    box.sunder("--no-such-option", program=program(box)).expect(2, out="^$", err=".")
    box.sunder("surplus", program=program(box)).expect(2, err="surplus")


@case
def the_verbs_of_the_daemon_have_help_and_refuse_what_they_do_not_know(box):
    for verb, known in VERBS.items():
        text = box.sunder(verb, "--help").expect(0, out=f"^usage: sunder {verb}").out
        assert set(re.findall(r"(?<![\w'])--[a-z]+", text)) == set(known) | {"--help"}, text
        box.sunder(verb, "--no-such-option").expect(2, out="^$", err=".")
        for option in {"--watch", "--now", "--follow"} - set(known):
            box.sunder(verb, option).expect(2, err=option)
    box.sunder("start").expect(2, err="which job")
    box.sunder("start", "a", "b").expect(2, err='"b"')
    box.sunder("status", "surplus").expect(2, err="surplus")
    box.sunder("tail", "--lines", "257").expect(2, err="--lines")
    box.sunder("status", "--watch", "--socket", box.path("none")).expect(2, err="no terminal")


@case
def without_a_daemon_its_verbs_say_so(box):
    for verb in VERBS:
        words = [verb, "--socket", box.path("none")] + (["x"] if verb == "start" else [])
        box.sunder(*words).expect(2, out="^$", err="sunderd does not run")


# The configuration


@case
def a_wrong_configuration_is_refused_with_its_place(box):
    box.write("small.job", JOB)
    good = f"[daemon]\nstate = {box.dir}/state\n[campaign a]\njob = {box.dir}/small.job\n"
    for text, want in ((good.replace("state", "staet"), r'd.conf:2: .*did you mean "state"\?'), (good.replace("small", "none"), "d.conf:3: .*none.job: No such file"),
                       (good + "weight = much\n", "d.conf:5: weight"), ("", "nothing to run"), (b"\0\xff\n", "d.conf:1: "), (b"[" * 5000, "d.conf:1: ")):
        box.write("d.conf", text)
        for words in (["--check"], []):
            box.sunder(*words, "--config", "d.conf", program=program(box)).expect(2, out="^$", err=want)
    box.write("d.conf", good)
    box.sunder("--check", "--config", "d.conf", program=program(box)).expect(0, out="1 campaign\n")
    box.sunder("--check", "--config", "missing", program=program(box)).expect(2, err="missing: No such file")
    assert not os.path.exists(box.path("state")), "--check made something"


@case
def the_shipped_configuration_is_right(box):
    with open(os.path.join(TREE, "scripts/systemd/sunderd.conf"), encoding="utf-8") as f:
        text = f.read()
    text = text.replace("[daemon]\n", f"[daemon]\njobs = {TREE}/workloads\n")
    box.write("d.conf", text)
    box.sunder("--check", "--config", "d.conf", program=program(box)).expect(0, out="2 campaigns\n")
    box.write("all.conf", re.sub(r"^;(?=\w+ = |\[)", "", text, flags=re.M))
    box.sunder("--check", "--config", "all.conf", program=program(box)).expect(0, out="3 campaigns\n")


@case
def the_unit_is_one(box):
    verify = "systemd-analyze"
    with open(os.path.join(TREE, "scripts/systemd/sunderd.service.in"), encoding="utf-8") as f:
        unit = f.read()
    box.write("sunderd.service", re.sub(r"@S?BINDIR@", os.path.dirname(box.binary), unit))
    try:
        done = subprocess.run([verify, "verify", "--man=no", box.path("sunderd.service")], capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        raise Skip("systemd-analyze is not installed") from None
    assert done.returncode == 0 and not done.stderr, done


@case
def a_new_configuration_is_taken_and_a_wrong_one_is_not(box):
    with idle_daemon(box) as daemon:
        with open(box.path("d.conf"), encoding="utf-8") as f:
            text = f.read()
        box.write("d.conf", text.replace("[campaign later]", "[campaign other]"))
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for(lambda doc: doc["campaigns"][0]["name"] == "other")
        box.write("d.conf", text.replace("window", "widnow"))
        daemon.process.send_signal(signal.SIGHUP)
        doc = daemon.wait_for(lambda doc: any("stays as it was" in e["text"] for e in doc["events"]))
        assert doc["campaigns"][0]["name"] == "other" and any('did you mean "window"' in e["text"] for e in doc["events"])


@case
def the_service_manager_is_told_what_it_must_know(box):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(box.path("notify"))
        manager.settimeout(20)
        told = []

        def wait_until(line):
            while line not in told:
                told.extend(manager.recv(4096).decode().splitlines())

        with idle_daemon(box, env={"NOTIFY_SOCKET": box.path("notify"), "WATCHDOG_USEC": "10000000"}) as daemon:
            wait_until("READY=1")
            wait_until("WATCHDOG=1")
            wait_until("STATUS=ok: no new findings")
            del told[:]
            daemon.process.send_signal(signal.SIGHUP)
            wait_until("RELOADING=1")
            wait_until("READY=1")
            daemon.process.send_signal(signal.SIGTERM)
            wait_until("STOPPING=1")


# Control


@case
def the_status_is_as_its_schema_says(box):
    try:
        import jsonschema
    except ImportError:
        raise Skip("python3-jsonschema is not installed") from None
    with open(os.path.join(TREE, "docs", "sunderd.schema.json"), encoding="utf-8") as f:
        schema = json.load(f)
    jsonschema.Draft7Validator.check_schema(schema)
    with idle_daemon(box) as daemon:
        doc = daemon.status()
        jsonschema.Draft7Validator(schema).validate(doc)
        assert doc["health"] == "ok" and doc["campaigns"][0]["state"] == "closed" and doc["slice"] is None
        box.sunder("status", "--socket", "control").expect(0, out=r"later +closed")


@case
def pause_holds_over_a_restart_and_stop_ends(box):
    with idle_daemon(box) as daemon:
        box.sunder("pause", "--socket", "control").expect(0)
        assert daemon.status()["state"] == "paused"
        box.sunder("start", "../d.conf", "--socket", "control").expect(2, err="neither a campaign nor a job")
        box.sunder("start", "missing.job", "--socket", "control").expect(2, err="neither a campaign nor a job")
        box.sunder("start", "small.job", "--socket", "control").expect(0)
        assert daemon.status()["queue"] == ["small.job"]
        box.sunder("tail", "--socket", "control").expect(0, out="pause, asked for by uid")
        daemon.process.kill()
        daemon.process.wait(10)
        again = Daemon(box, "--config", "d.conf")
        again.wait_for(lambda doc: doc["state"] == "paused")
        box.sunder("stop", "--socket", "control").expect(0)
        assert again.process.wait(15) == 0
        assert not os.path.exists(box.path("control"))
        daemon.process = again.process


@case
def a_second_daemon_on_the_same_directory_is_refused(box):
    with idle_daemon(box):
        box.sunder("--config", "d.conf", program=program(box)).expect(2, err="in use by another sunderd")


@case
def tail_follows_what_happens(box):
    with idle_daemon(box) as daemon:
        tail = box.start("tail", "--follow", "--lines", "0", "--json", "--socket", "control", text=True)
        daemon.wait_for(lambda doc: True)
        time_out = threading.Timer(30, tail.kill)
        time_out.start()
        while tail.poll() is None:  # it may not be listening yet
            daemon.process.send_signal(signal.SIGUSR1)
            if select_readable(tail.stdout):
                break
        event = json.loads(tail.stdout.readline())
        time_out.cancel()
        tail.kill()
        tail.communicate()
        assert event["kind"] == "note" and "slices" in event["text"], event


def select_readable(stream):
    return bool(select.select([stream], [], [], 0.2)[0])


def read_until(fd, wanted, seconds=20):
    """What comes from a terminal until that is in it."""
    text, end = b"", time.monotonic() + seconds
    while wanted not in text:
        assert time.monotonic() < end and select.select([fd], [], [], seconds)[0], text[-500:]
        text += os.read(fd, 65536)
    return text


@case
def the_full_terminal_view_resizes_and_leaves_the_terminal_as_it_was(box):
    with idle_daemon(box) as daemon:
        for end in (b"q", signal.SIGTERM):
            ours, theirs = pty.openpty()
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 30, 100, 0, 0))
            found = termios.tcgetattr(theirs)
            watch = subprocess.Popen([box.binary, "status", "--watch", "--socket", box.path("control")], stdin=theirs, stdout=theirs,
                                     stderr=theirs, start_new_session=True)
            text = read_until(ours, b"nothing runs")
            assert text.startswith(b"\033[?1049h") and daemon.status()["host"].encode() in text, text
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 12, 44, 0, 0))
            watch.send_signal(signal.SIGWINCH)
            read_until(ours, b"\033[1;1H")
            screen = read_until(ours, b"\033[J")
            assert b"\033[13;1H" not in screen, screen
            assert termios.tcgetattr(theirs) != found
            if end == b"q":
                os.write(ours, end)
            else:
                watch.send_signal(end)
            assert read_until(ours, b"\033[?1049l").endswith(b"\033[?25h\033[?1049l")
            assert watch.wait(10) == 0 and termios.tcgetattr(theirs) == found
            os.close(ours)
            os.close(theirs)


def converse(path, data):
    """What it answers to one that has said all it has to say."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(path)
        with contextlib.suppress(OSError):  # it may have answered already, and be gone
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
        try:
            return s.recv(65536)
        except OSError:
            return b""


def as_nobody(groups, function):
    """What the function returns in a process without rights, in these groups."""
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups(groups)
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(writable, function())
        finally:
            os._exit(0)
    os.close(writable)
    with os.fdopen(readable, "rb") as f:
        answer = f.read()
    os.waitpid(pid, 0)
    return answer


@case
def who_is_neither_root_nor_of_the_group_is_refused(box):
    if os.geteuid() != 0:
        raise Skip("needs root")
    with idle_daemon(box, more="group = games") as daemon:
        games, path = grp.getgrnam("games").gr_gid, box.path("control")
        there = os.stat(path)
        assert there.st_mode & 0o777 == 0o660 and there.st_gid == games, there
        assert as_nobody([], lambda: converse_or_error(path)) == b"Permission denied"
        os.chmod(path, 0o666)  # as if somebody had: the credentials decide
        reply = json.loads(as_nobody([], lambda: converse_or_error(path)))
        assert reply["ok"] is False and "only root" in reply["error"] and daemon.status()["state"] == "idle", reply
        reply = json.loads(as_nobody([games], lambda: converse_or_error(path)))
        assert reply["ok"] is True and daemon.status()["state"] == "paused", reply


def converse_or_error(path):
    try:
        return converse(path, b'{"v":1,"do":"pause"}\n')
    except OSError as error:
        return error.strerror.encode()


def bad_requests(rng):
    """What no client should send."""
    yield b""
    yield b"\n"
    yield b"\0" * 5000
    yield b"{" * 3000 + b"\n"
    yield b"[" * 4000 + b"\n"
    yield b'{"v":1,"do":"status"' + b" " * 5000 + b"}\n"
    yield b'{"v":1,"do":"stat'
    yield b'{"v":99999999999999999999,"do":"status"}\n'
    yield b'{"v":1,"do":"' + "\u2603".encode() * 900 + b'"}\n'
    yield b'{"v":1,"do":"status"}\n' * 150
    yield b"GET / HTTP/1.1\r\n\r\n"
    while True:
        yield rng.randbytes(rng.randrange(1, 6000)) + rng.choice([b"", b"\n"])


@case
def a_thousand_bad_clients_of_the_control_socket_change_nothing(box):
    with idle_daemon(box) as daemon:
        path, rng = box.path("control"), random.Random(1)
        before = daemon.memory()
        silent = []
        for number, data in zip(range(1000), bad_requests(rng)):
            if number % 10 == 0:  # half open: says a part and then nothing more, and reads nothing
                s = socket.socket(socket.AF_UNIX)
                s.settimeout(10)
                s.connect(path)
                with contextlib.suppress(OSError):
                    s.send(data[:3000] or b"{")
                silent.append(s)
            else:
                converse(path, data)
            if number % 100 == 0:
                assert daemon.status()["state"] == "idle"
        crowd = [threading.Thread(target=lambda: [converse(path, b'{"v":1,"do":"status"}\n') for _ in range(20)]) for _ in range(40)]
        for t in crowd:
            t.start()
        for t in crowd:
            t.join()
        assert daemon.status()["state"] == "idle"
        grown = daemon.memory() - before
        assert grown < 24 << 20, f"{grown >> 20} MiB more"
        for s in silent:
            s.close()


# The page


def get(port, path, **options):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", **options)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


@case
def the_page_is_for_reading_only(box):
    port = free_port()
    with idle_daemon(box, port=port):
        code, headers, text = get(port, "/")
        assert code == 200 and "<main>" in text and "default-src 'none'" in headers["Content-Security-Policy"]
        for path, kind in (("/page.js", "text/javascript"), ("/page.css", "text/css"), ("/icon.svg", "image/svg"), ("/uplot.js", "text/javascript")):
            code, headers, _ = get(port, path)
            assert code == 200 and headers["Content-Type"].startswith(kind) and headers["X-Content-Type-Options"] == "nosniff", path
        for path in ("/nothing", "/findings/1", "/findings/x", "/findings/../../etc/passwd", "/page.js/", "/.."):
            assert get(port, path)[0] == 404, path
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert get(port, "/status.json", method=method, data=b"x" * 100000 if method != "DELETE" else None)[0] == 405, method
        assert get(port, "/", headers={"Host": "evil.example"})[0] == 421
        assert get(port, "/", headers={"Host": "localhost:80"})[0] == 200
        outside = re.findall(r"""(?:src|href)=["'](?!/|#)[^"']*""", text)
        assert not outside, outside


@case
def page_metrics_and_textfile_tell_the_numbers_of_the_status(box):
    port = free_port()
    with idle_daemon(box, port=port, more=f"textfile = {box.dir}/sunder.prom") as daemon:
        doc = daemon.status()
        page = json.loads(get(port, "/status.json")[2])
        for key in ("version", "sunder", "host", "kernel", "started", "health", "state", "totals", "campaigns", "findings"):
            assert page[key] == doc[key], key
        assert json.loads(get(port, "/seconds.json")[2])["step"] == 1 and json.loads(get(port, "/minutes.json")[2])["step"] == 60
        code, headers, text = get(port, "/metrics")
        assert code == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
        with open(box.path("sunder.prom"), encoding="utf-8") as f:
            file = f.read()
        for body in (text, file):
            lines = [line for line in body.splitlines() if not line.startswith("#")]
            assert all(re.fullmatch(r'sunder_[a-z_]+(\{[a-z]+="[^"\\]*"\})? [-+.e\d]+', line) for line in lines), body
            assert 'sunder_health{state="ok"} 1' in lines and f"sunder_ops_total {doc['totals']['ops']}" in lines
        names = [re.match(r"# TYPE (\S+)", line)[1] for line in text.splitlines() if line.startswith("# TYPE")]
        assert len(names) == len(set(names))


@case
def a_finding_s_page_shows_its_evidence_as_text(box):
    """What was found is hostile input: its title and its files become text."""
    box.write("store.py", "")
    title = "KASAN: <script>alert(1)</script> in \"x\" & y"
    os.makedirs(box.path("state/findings"))
    unfiled = {"title": title, "alt": "", "oracle": "klog", "run": "r", "kernel": "k", "machine": "m", "boot_id": "b", "job": "j",
               "version": "v", "program": "", "evidence": "<img src=x onerror=alert(2)>\u0007", "context": "", "output": "o",
               "seed": "1", "round": 0, "count": 1, "crew": -1, "lane": -1, "first": 1000, "last": 2000}
    box.write("state/findings/unfiled-1.json", json.dumps(unfiled))
    listed = json.loads(box.sunder("findings", "list", "--json", "--state", "state").out)
    if not listed:
        raise Skip("the store does not take such a file")
    port = free_port()
    with idle_daemon(box, port=port) as daemon:
        doc = daemon.wait_for(lambda doc: doc["findings"]["total"] == 1)
        assert doc["health"] == "attention" and doc["findings"]["list"][0]["title"] == title
        code, headers, text = get(port, f"/findings/{doc['findings']['list'][0]['id']}")
        assert code == 200 and "<script" not in text and "<img" not in text and "&lt;script&gt;alert(1)" in text and "onerror=alert(2)&gt;?" in text
        assert "default-src 'none'" in headers["Content-Security-Policy"]


def bad_http(rng):
    yield b"GET"
    yield b"GET / HTTP/1.1\r\n"
    yield b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n"
    yield b"\0" * 100
    yield b"GET /" + b"a" * 30000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
    yield b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 5000 + b"\r\n"
    yield b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\nx"
    yield b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"
    yield b"GET /findings/%00%2e%2e HTTP/1.1\r\nHost: localhost\r\n\r\n"
    yield b"GET / HTTP/1.1\r\n\r\n" * 200
    while True:
        yield rng.randbytes(rng.randrange(1, 3000))


@case
def a_thousand_bad_clients_of_the_page_change_nothing(box):
    port = free_port()
    with idle_daemon(box, port=port) as daemon:
        rng, before, silent = random.Random(2), daemon.memory(), []
        for number, data in zip(range(1000), bad_http(rng)):
            s = socket.create_connection(("127.0.0.1", port), 10)
            s.settimeout(10)
            with contextlib.suppress(OSError):
                s.sendall(data)
                if number % 25:
                    s.settimeout(0.01)  # an answer, if one comes at once: what is not whole gets none
                    s.recv(65536)
            if number % 25 or len(silent) >= 30:
                s.close()
            else:
                silent.append(s)  # says no more and reads nothing
            if number % 100 == 0:
                assert daemon.status()["state"] == "idle"
        crowd = [threading.Thread(target=lambda: [get(port, "/status.json") for _ in range(20)]) for _ in range(20)]
        for t in crowd:
            t.start()
        for t in crowd:
            t.join()
        assert get(port, "/")[0] == 200 and daemon.status()["state"] == "idle"
        grown = daemon.memory() - before
        assert grown < 24 << 20, f"{grown >> 20} MiB more"
        for s in silent:
            s.close()
