"""The ways a guest's kernel can die. Each is a command of the guest's shell; those of the test module need kvatest.ko."""

from __future__ import annotations

SYSRQ = "echo c > /proc/sysrq-trigger"

CRASHES: dict[str, str] = {
    "sysrq": SYSRQ,
    "init": "kill -SEGV 1; /bin/busybox sh -c 'kill -SEGV 1'; " + SYSRQ,
    **{how: f"insmod /mods/kvatest.ko crash={how}" for how in (
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
    return "kvatest.ko" in CRASHES.get(crash, "")
