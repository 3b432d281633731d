# SPDX-License-Identifier: GPL-2.0-or-later
"""A fleet on this machine: Slurm's own munged, slurmctld and slurmd in a scratch directory, on loopback, with nodes that can be killed.

A node is a process tree in a PID, UTS and mount namespace of its own: its name, its /var/lib and its boot id are its own, and
all of it dies at once. Its kernel is this machine's."""

import os
import secrets
import signal
import socket
import subprocess
import time
import uuid

CREDENTIAL_SECONDS = 5  # Slurm waits as long before it starts again what it has queued again

NODE = r"""
set -e
hostname "$NAME"
mount --make-rprivate /
mount --bind "$TOP/lib" /var/lib
mount --bind "$TOP/boot_id" /proc/sys/kernel/random/boot_id
slurmd -D -N "$NAME" -f "$SLURM_CONF" $REBOOTED >>"$TOP/slurmd.out" 2>&1 &
trap '' TERM
while :; do wait || :; read -rt 1 <> <(:) || :; done
"""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Timeout(Exception):
    """Something did not come in time."""


class Fleet:
    def __init__(self, top, names, node_script):
        self.top, self.names, self.node_script = top, names, node_script
        self.processes, self.nodes = [], {}
        self.environment = dict(os.environ, SLURM_CONF=os.path.join(top, "slurm.conf"))

    def path(self, *parts):
        return os.path.join(self.top, *parts)

    def start(self):
        self._configure()
        self._start("munged", "--foreground", "--force", "--num-threads=2", "--key-file=" + self.path("munge.key"),
                    "--socket=" + self.path("munge.socket"), "--pid-file=" + self.path("munge.pid"),
                    "--log-file=" + self.path("munge.log"), "--seed-file=" + self.path("munge.seed"))
        self.until("munged", lambda: os.path.exists(self.path("munge.socket")))
        self._start("slurmctld", "-D", "-f", self.path("slurm.conf"))
        for name in self.names:
            self.boot(name)
        self.until("all nodes are idle", lambda: self.states() == {name: "idle" for name in self.names})

    def _configure(self):
        ports = free_ports(len(self.names) + 1)
        with open(self.path("munge.key"), "wb") as file:
            os.fchmod(file.fileno(), 0o400)
            file.write(secrets.token_bytes(128))
        for name in ("state", "spool"):
            os.mkdir(self.path(name))
        lines = [
            "ClusterName=test", "SlurmctldHost=" + socket.gethostname() + "(127.0.0.1)", f"SlurmctldPort={ports[0]}", "SlurmUser=root",
            "AuthType=auth/munge", f"AuthInfo=socket={self.path('munge.socket')},cred_expire={CREDENTIAL_SECONDS}",
            "CredType=cred/munge", "MpiDefault=none", "ProctrackType=proctrack/linuxproc", "TaskPlugin=task/none",
            "SwitchType=switch/none", "JobAcctGatherType=jobacct_gather/none", "AccountingStorageType=accounting_storage/none",
            "JobCompType=jobcomp/none", "SelectType=select/linear", "SchedulerType=sched/builtin", "ReturnToService=2",
            "SlurmdTimeout=10", "BatchStartTimeout=5", "MessageTimeout=5", "KillWait=20", "InactiveLimit=0", "SlurmdParameters=config_overrides", "MinJobAge=600",
            "SlurmctldPidFile=" + self.path("slurmctld.pid"), "SlurmctldLogFile=" + self.path("slurmctld.log"),
            "StateSaveLocation=" + self.path("state"), "SlurmdPidFile=" + self.path("slurmd-%n.pid"),
            "SlurmdLogFile=" + self.path("slurmd-%n.log"), "SlurmdSpoolDir=" + self.path("spool", "%n"),
            "Prolog=" + self.node_script, "Epilog=" + self.node_script,
        ]
        for name, port in zip(self.names, ports[1:]):
            lines.append(f"NodeName={name} NodeHostname={name} NodeAddr=127.0.0.1 Port={port} CPUs=1 RealMemory=256")
        lines.append(f"PartitionName=all Nodes={','.join(self.names)} Default=YES MaxTime=INFINITE State=UP")
        with open(self.path("slurm.conf"), "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")

    def _start(self, *command, **environment):
        with open(self.path(os.path.basename(command[0]) + ".out"), "ab") as out:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.top,
                                       env={**self.environment, **environment}, start_new_session=True)
        self.processes.append(process)
        return process

    def boot(self, name):
        """The machine comes up, after a crash with what was on its disk."""
        top = self.path(name)
        os.makedirs(os.path.join(top, "lib"), exist_ok=True)
        again = os.path.exists(os.path.join(top, "boot_id"))
        with open(os.path.join(top, "boot_id"), "w", encoding="ascii") as file:
            file.write(f"{uuid.uuid4()}\n")
        self.nodes[name] = self._start("unshare", "--uts", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "bash", "-c", NODE,
                                       NAME=name, TOP=top, REBOOTED="-b" if again else "", SUNDER_NODE_LOG=os.path.join(top, "node.log"))

    def crash(self, name):
        """All that ran on it is gone, without a word."""
        self.nodes[name].kill()
        self.nodes[name].wait()

    def run(self, *command, code=0):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False,
                              env=self.environment, cwd=self.top, timeout=60)
        assert code is None or done.returncode == code, f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def states(self):
        return dict(line.split() for line in self.run("sinfo", "-h", "-N", "-o", "%N %t", code=None).splitlines())

    def jobs(self):
        """What has not ended: {task: (state, node)}."""
        lines = self.run("squeue", "-h", "-r", "-o", "%i|%T|%N").splitlines()
        return {task: (state, node) for task, state, node in (line.split("|") for line in lines)}

    def until(self, what, condition, seconds=90):
        """Asks again and again; the answer that was true."""
        deadline = time.monotonic() + seconds
        while not (answer := condition()):
            if time.monotonic() > deadline:
                raise Timeout(f"{what}: not within {seconds} s\n{self.words()}")
            time.sleep(0.2)  # Slurm has nothing to wait on
        return answer

    def words(self):
        """The ends of all logs, for a test that failed."""
        out = []
        for at, _, names in os.walk(self.top):
            for name in names:
                if name.endswith((".log", ".out")) and not name.startswith("kernel") or at.endswith("results/log"):
                    with open(os.path.join(at, name), encoding="utf-8", errors="replace") as file:
                        out.append(f"== {os.path.join(at, name)}\n" + "".join(file.readlines()[-15:]))
        return "\n".join(out)

    def stop(self):
        for process in self.nodes.values():
            process.kill()
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
