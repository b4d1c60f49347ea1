"""Holds what a tool says of a dump against what others said: the MMU, the guest's kernel, drgn with DWARF."""
