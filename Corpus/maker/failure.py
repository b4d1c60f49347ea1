"""An error outside the program, shown as one line: a missing package, a guest that does not boot."""


class Failure(Exception):
    pass
