"""The kernel's variables, functions and constants for drgn, without DWARF.

BTF has the constants of enumerations, the functions and, in most kernels, the per-CPU variables. Of the others it
says nothing (up to pahole 1.28, `--btf_features=global_var`): the types of those that drgn's helpers read are here.
"""

from __future__ import annotations

from typing import Optional

import drgn
import kva
from drgn import FindObjectFlags, Object, Program, Type

from . import btf
from .symbols import SymbolFinder, address_of
from .types import Layer, TypeFinder

#: The type of each variable; `[]` has as many elements as the symbol has room for.
_VARIABLES = {
    # Tasks and namespaces
    "init_task": "struct task_struct",
    "init_mm": "struct mm_struct",
    "init_pid_ns": "struct pid_namespace",
    "init_uts_ns": "struct uts_namespace",
    "init_ipc_ns": "struct ipc_namespace",
    "init_user_ns": "struct user_namespace",
    "init_cgroup_ns": "struct cgroup_namespace",
    "init_nsproxy": "struct nsproxy",
    "init_cred": "struct cred",
    "init_fs": "struct fs_struct",
    "init_files": "struct files_struct",
    "init_signals": "struct signal_struct",
    "init_sighand": "struct sighand_struct",
    "init_css_set": "struct css_set",
    "userspace_init_fs": "struct fs_struct *",
    "root_task_group": "struct task_group",
    "pid_hash": "struct hlist_head *",
    "pidhash_shift": "unsigned int",
    "uidhash_table": "struct hlist_head []",
    "ipc_mni_shift": "int",
    "avenrun": "unsigned long [3]",
    "task_state_array": "const char * const []",
    "task_struct_cachep": "struct kmem_cache *",
    "thread_stack_cache": "struct kmem_cache *",
    "kthreadd_task": "struct task_struct *",
    "nr_threads": "int",
    "total_forks": "unsigned long",
    # CPUs
    "__per_cpu_offset": "unsigned long []",
    "nr_cpu_ids": "unsigned int",
    "__cpu_online_mask": "struct cpumask",
    "__cpu_possible_mask": "struct cpumask",
    "__cpu_present_mask": "struct cpumask",
    "__cpu_active_mask": "struct cpumask",
    "panic_cpu": "atomic_t",
    "crash_notes": "note_buf_t *",
    "system_state": "enum system_states",
    # Memory
    "memblock": "struct memblock",
    "mem_map": "struct page *",
    "max_mapnr": "unsigned long",
    "contig_page_data": "struct pglist_data",
    "node_data": "struct pglist_data *[]",
    "node_states": "nodemask_t []",
    "nr_node_ids": "unsigned int",
    "min_low_pfn": "unsigned long",
    "max_low_pfn": "unsigned long",
    "max_pfn": "unsigned long",
    "high_memory": "void *",
    "memstart_addr": "s64",
    "kimage_voffset": "u64",
    "vabits_actual": "u64",
    "__highest_present_section_nr": "unsigned long",
    "sections_per_block": "unsigned long",
    "_totalram_pages": "atomic_long_t",
    "totalram_pages": "unsigned long",
    "total_swap_pages": "long",
    "nr_swap_pages": "atomic_long_t",
    "nr_swapfiles": "unsigned int",
    "swap_info": "struct swap_info_struct *[]",
    "swapper_spaces": "struct address_space *[]",
    "nr_swapper_spaces": "unsigned int []",
    "vm_zone_stat": "atomic_long_t []",
    "vm_node_stat": "atomic_long_t []",
    "vm_numa_stat": "atomic_long_t []",
    "vm_numa_event": "atomic_long_t []",
    "vm_committed_as": "struct percpu_counter",
    "sysctl_overcommit_memory": "int",
    "sysctl_overcommit_ratio": "int",
    "sysctl_overcommit_kbytes": "unsigned long",
    "hstates": "struct hstate []",
    "hugetlb_max_hstate": "int",
    "stack_pools": "void *[]",
    "stack_slabs": "void *[]",
    "migratetype_names": "const char * const []",
    # Slab and vmalloc
    "slab_caches": "struct list_head",
    "slab_kset": "struct kset *",
    "vmap_area_list": "struct list_head",
    "vmap_area_root": "struct rb_root",
    "free_vmap_area_root": "struct rb_root",
    "free_vmap_area_list": "struct list_head",
    "vmap_nodes": "struct vmap_node *",
    "nr_vmap_nodes": "int",
    "vmap_zone_size": "unsigned int",
    # Modules, log and panic
    "modules": "struct list_head",
    "mod_tree": "struct mod_tree_root",
    "prb": "struct printk_ringbuffer *",
    "log_buf": "char *",
    "log_buf_len": "u32",
    "log_first_idx": "u32",
    "log_next_idx": "u32",
    "log_first_seq": "u64",
    "log_next_seq": "u64",
    "console_drivers": "struct console *",
    "console_list": "struct hlist_head",
    "tainted_mask": "unsigned long",
    "taint_flags": "const struct taint_flag []",
    "oops_in_progress": "int",
    "panic_timeout": "int",
    "panic_on_oops": "int",
    "saved_command_line": "char *",
    "linux_banner": "const char []",
    # Time and interrupts
    "jiffies_64": "u64",
    "timekeeper_data": "struct tk_data []",
    "sparse_irqs": "struct maple_tree",
    "irq_desc_tree": "struct radix_tree_root",
    "nr_irqs": "unsigned int",
    "total_nr_irqs": "unsigned int",
    "poll_spurious_irq_timer": "struct timer_list",
    "clocksource_list": "struct list_head",
    "workqueues": "struct list_head",
    # Files and devices
    "super_blocks": "struct list_head",
    "file_systems": "struct file_system_type *",
    "blockdev_superblock": "struct super_block *",
    "ns_file_operations": "const struct file_operations",
    "block_class": "struct class",
    "major_names": "struct blk_major_name *[]",
    "chrdevs": "struct char_device_struct *[]",
    "cdev_map": "struct kobj_map *",
    "bdi_list": "struct list_head",
    "bus_kset": "struct kset *",
    "class_kset": "struct kset *",
    "devices_kset": "struct kset *",
    "module_kset": "struct kset *",
    "bus_ktype": "const struct kobj_type",
    "class_ktype": "const struct kobj_type",
    "device_ktype": "const struct kobj_type",
    "driver_ktype": "const struct kobj_type",
    "module_ktype": "const struct kobj_type",
    "memory_subsys": "const struct bus_type",
    "pci_bus_type": "const struct bus_type",
    "pci_root_buses": "struct list_head",
    "sysfs_root_kn": "struct kernfs_node *",
    "iomem_resource": "struct resource",
    "ioport_resource": "struct resource",
    # Networks, cgroups and BPF
    "init_net": "struct net",
    "net_namespace_list": "struct list_head",
    "cgrp_dfl_root": "struct cgroup_root",
    "cgroup_roots": "struct list_head",
    "prog_idr": "struct idr",
    "map_idr": "struct idr",
    "link_idr": "struct idr",
    "btf_idr": "struct idr",
}
#: Per-CPU variables, for the BTF that does not have them (up to 5.10).
_PER_CPU = {
    "runqueues": "struct rq",
    "__irq_regs": "struct pt_regs *",
    "irq_stack_ptr": "unsigned long *",
    "vm_event_states": "struct vm_event_state",
    "hrtimer_bases": "struct hrtimer_cpu_base",
    "cpu_number": "int",
}
_SECTION = ".data..percpu"


class ObjectFinder:
    """Finds objects: register it with `Program.register_object_finder`."""

    def __init__(self, dump: kva.Dump, symbols: SymbolFinder, types: TypeFinder) -> None:
        self._dump = dump
        self._symbols = symbols
        self._types = types
        self._variables: Optional[dict[int, tuple[str, int]]] = None

    def __call__(
        self, prog: Program, name: str, flags: FindObjectFlags, filename: Optional[str]
    ) -> Optional[Object]:
        if filename and not (name == "log_buf" and drgn.filename_matches("kernel/printk/printk.c", filename)):
            return None
        kernel = self._types.kernel
        if kernel is None:
            return None
        found = None
        if flags & FindObjectFlags.CONSTANT:
            found = self._constant(prog, kernel, name)
        if found is None and flags & FindObjectFlags.FUNCTION:
            found = self._function(prog, name)
        if found is None and flags & FindObjectFlags.VARIABLE:
            found = self._described(prog, kernel, name)
        if found is None and flags & FindObjectFlags.VARIABLE:
            found = self._variable(prog, name)
        return found

    def _constant(self, prog: Program, kernel: Layer, name: str) -> Optional[Object]:
        number = kernel.source.enumeration(name)
        if number is None:
            return None
        value = dict(kernel.source.enumerators(kernel.source.record(number)))[name]
        return Object(prog, kernel.type(number), value)

    def _function(self, prog: Program, name: str) -> Optional[Object]:
        for layer in self._types.layers():
            for number in layer.source.find(name):
                if layer.source.record(number).kind == btf.FUNC:
                    address = address_of(self._dump, name)
                    return None if address is None else Object(prog, layer.type(number), address=address)
        return None

    def _variable(self, prog: Program, name: str) -> Optional[Object]:
        text = _VARIABLES.get(name) or _PER_CPU.get(name)
        if text is None:
            return self._mem_section(prog) if name == "mem_section" else None
        address = address_of(self._dump, name)
        type = None if address is None else self._type(prog, name, text)
        return None if type is None else Object(prog, type, address=address)

    def _described(self, prog: Program, kernel: Layer, name: str) -> Optional[Object]:
        """The variable as the kernel's BTF has it."""
        for number in kernel.source.find(name):
            if kernel.source.record(number).kind != btf.VAR:
                continue
            if self._variables is None:
                self._variables = kernel.source.variables()
            section = self._variables.get(number, ("", 0))[0]
            address = address_of(self._dump, name)
            if address is None and section == _SECTION:
                address = self._per_cpu(prog, name)
            if address is not None:
                return Object(prog, kernel.type(number), address=address)
        return None

    def _per_cpu(self, prog: Program, name: str) -> Optional[int]:
        """Where the image has a per-CPU variable whose copies alone can be found."""
        answer = self._dump.ask("resolve", f"{name}@cpu0")
        copy = answer.results[0].get("virtual") if answer.results else None
        offsets = address_of(self._dump, "__per_cpu_offset")
        if copy is None or offsets is None:
            return None
        return (copy - prog.read_u64(offsets)) & (1 << 64) - 1

    def _type(self, prog: Program, name: str, text: str) -> Optional[Type]:
        try:
            if name == "__per_cpu_offset" or not text.endswith("[]"):
                return prog.type(text)
            element = prog.type(text[:-2].rstrip())
        except LookupError:
            return None
        size = self._symbols.table().size(name)
        return prog.array_type(element) if size is None else prog.array_type(element, size // drgn.sizeof(element))

    def _mem_section(self, prog: Program) -> Optional[Object]:
        """SPARSEMEM_EXTREME, an array that is allocated (4.15, 83e3c48729d9), or one in the image."""
        address = address_of(self._dump, "mem_section")
        if address is None:
            return None
        section = prog.type("struct mem_section")
        size = self._symbols.table().size("mem_section")
        if size is not None and size >= 2 * drgn.sizeof(section) * 8:
            type = prog.array_type(prog.array_type(section, 1), size // drgn.sizeof(section))
        else:
            type = prog.pointer_type(prog.pointer_type(section))
        return Object(prog, type, address=address)
