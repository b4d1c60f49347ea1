import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "Python" / "tests"))

from dumps import entry, limit, machine, program  # noqa: E402, F401
