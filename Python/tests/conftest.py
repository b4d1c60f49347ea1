from dumps import dump, entry, limit, machine, program  # noqa: F401
