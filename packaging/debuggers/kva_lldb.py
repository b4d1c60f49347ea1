"""The command 'kva DUMP [OPTIONS]' of lldb: opens a crash dump through 'kva gdbserver'.

Use it by 'command script import kva_lldb.py', at lldb's prompt or in ~/.lldbinit.
"""

import atexit
import shlex
import subprocess


def open_dump(debugger, command, result, internal_dict):
    """Open a crash dump: kva DUMP [OPTIONS], with the options of kva gdbserver, such as --vmlinux FILE."""
    words = shlex.split(command)
    if not words:
        result.SetError("kva DUMP [OPTIONS]")
        return
    try:
        server = subprocess.Popen(
            ["kva", "gdbserver", *words, "--listen", "127.0.0.1:0"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, universal_newlines=True)
    except OSError as error:
        result.SetError("kva cannot be run: %s" % error.strerror)
        return
    atexit.register(server.kill)
    prefix = "listening at "
    line = server.stdout.readline().strip()
    if not line.startswith(prefix):
        result.SetError("kva gdbserver did not start")
        return
    address = line[len(prefix):]
    script = subprocess.run(
        ["kva", "gdbserver", *words, "--listen", address, "--init", "lldb"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, universal_newlines=True)
    for line in script.stdout.splitlines():
        if line and not line.startswith("#"):
            debugger.HandleCommand(line)


def __lldb_init_module(debugger, internal_dict):
    debugger.HandleCommand("command script add -f %s.open_dump kva" % __name__)
