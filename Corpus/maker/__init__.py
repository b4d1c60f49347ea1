"""Makes corpus entries: a kernel booted under QEMU, stopped at one instant, with dumps and the answers of others."""
