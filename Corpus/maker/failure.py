"""An error of the world outside, to be shown as one line: a package that is gone, a guest that does not boot."""


class Failure(Exception):
    pass
