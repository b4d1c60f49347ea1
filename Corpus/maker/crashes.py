"""The ways a guest's kernel can die. Each is a command of the guest's shell; most are ways of the test module."""

from __future__ import annotations

SYSRQ = "echo c > /proc/sysrq-trigger"

CRASHES: dict[str, str] = {
    "sysrq": SYSRQ,
    **{how: f"echo {how} > /sys/module/kvatest/parameters/crash" for how in (
        "panic",            # panic() in a thread
        "bug",              # BUG(): a brk instruction
        "undefined",        # an undefined instruction
        "null",             # a read near address 0
        "noncanonical",     # a read between the user's and the kernel's addresses
        "write-ro",         # a write to .rodata
        "exec-data",        # a jump to data: PXN
        "user-access",      # a read of user memory without uaccess: PAN
        "stack-overflow",   # recursion without end: VMAP_STACK's guard page
        "irq",              # a null write in a hard interrupt
        "softirq",          # the same in a softirq
        "uaf",              # a read of a freed object through a pointer that was in it
    )},
}


def needs_module(crash: str) -> bool:
    return "kvatest" in CRASHES.get(crash, "")
