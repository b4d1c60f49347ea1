"""Makes corpus entries: a kernel booted under QEMU, stopped in one instant, with its dumps and what others say of them."""
