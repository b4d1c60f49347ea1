"""Compares a tool's answers on a dump with those of others: the MMU, the guest's kernel, drgn with DWARF."""
