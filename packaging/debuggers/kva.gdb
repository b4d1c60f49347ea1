# The command 'kva DUMP [OPTIONS]' of gdb: opens a crash dump through 'kva gdbserver'.
# Use it as gdb-multiarch -x kva.gdb, or source it in ~/.gdbinit.
python
import gdb
import os
import subprocess
import tempfile


class Kva(gdb.Command):
    """Open a crash dump: kva DUMP [OPTIONS], with the options of kva gdbserver, such as --vmlinux FILE."""

    def __init__(self):
        super().__init__("kva", gdb.COMMAND_FILES, gdb.COMPLETE_FILENAME)

    def invoke(self, arguments, from_tty):
        words = gdb.string_to_argv(arguments)
        if not words:
            raise gdb.GdbError("kva DUMP [OPTIONS]")
        try:
            made = subprocess.run(
                ["kva", "gdbserver", *words, "--init", "gdb"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        except OSError as error:
            raise gdb.GdbError("kva cannot be run: %s" % error.strerror)
        if made.returncode != 0:
            raise gdb.GdbError(made.stderr.strip())
        with tempfile.NamedTemporaryFile("w", suffix=".gdb", delete=False) as script:
            script.write(made.stdout)
        try:
            gdb.execute("source " + script.name, from_tty)
        finally:
            os.unlink(script.name)


Kva()
end
