import DebugInfo

/// The types of variables that every kernel has, for kernels whose BTF describes only per-CPU variables (before pahole
/// 1.28, `global_var`, there are no others). A type is accepted only if the variable's contents agree with it.
struct WellKnownGlobals {
  let evaluator: Evaluator

  private enum Proof {
    /// Its size, judged by the next symbol, is that of the type.
    case size
    /// A circular list: the next element points back.
    case list
    /// A member holds text that begins so.
    case text(String, String)
    /// A member holds the address of a symbol.
    case pointer(String, String)
  }

  private static let rows: [String: (type: String, proof: Proof)] = [
    "init_task": ("struct task_struct", .text("comm", "swapper")),
    "init_mm": ("struct mm_struct", .pointer("pgd", "swapper_pg_dir")),
    "init_uts_ns": ("struct uts_namespace", .text("name.sysname", "Linux")),
    "init_pid_ns": ("struct pid_namespace", .pointer("user_ns", "init_user_ns")),
    "init_net": ("struct net", .pointer("user_ns", "init_user_ns")),
    "init_user_ns": ("struct user_namespace", .size),
    "init_ipc_ns": ("struct ipc_namespace", .pointer("user_ns", "init_user_ns")),
    "init_cgroup_ns": ("struct cgroup_namespace", .pointer("user_ns", "init_user_ns")),
    "init_nsproxy": ("struct nsproxy", .pointer("uts_ns", "init_uts_ns")),
    "init_cred": ("struct cred", .pointer("user_ns", "init_user_ns")),
    "init_fs": ("struct fs_struct", .size),
    "init_files": ("struct files_struct", .size),
    "init_signals": ("struct signal_struct", .size),
    "init_sighand": ("struct sighand_struct", .size),
    "jiffies": ("unsigned long", .size),
    "jiffies_64": ("u64", .size),
    "modules": ("struct list_head", .list),
    "slab_caches": ("struct list_head", .list),
    "super_blocks": ("struct list_head", .list),
    "vmap_area_root": ("struct rb_root", .size),
    "vmap_area_list": ("struct list_head", .list),
    "workqueues": ("struct list_head", .list),
    "cgroup_roots": ("struct list_head", .list),
    "net_namespace_list": ("struct list_head", .list),
    "all_bdis": ("struct list_head", .list),
    "bdi_list": ("struct list_head", .list),
    "clocksource_list": ("struct list_head", .list),
    "crypto_alg_list": ("struct list_head", .list),
    "file_systems": ("struct file_system_type *", .size),
    "nr_cpu_ids": ("unsigned int", .size),
    "__cpu_online_mask": ("struct cpumask", .size),
    "__cpu_possible_mask": ("struct cpumask", .size),
    "__cpu_present_mask": ("struct cpumask", .size),
    "__cpu_active_mask": ("struct cpumask", .size),
    "_totalram_pages": ("atomic_long_t", .size),
    "panic_cpu": ("atomic_t", .size),
    "oops_in_progress": ("int", .size),
    "panic_timeout": ("int", .size),
    "panic_on_oops": ("int", .size),
    "tainted_mask": ("unsigned long", .size),
    "saved_command_line": ("char *", .size),
    "high_memory": ("void *", .size),
    "max_pfn": ("unsigned long", .size),
    "min_low_pfn": ("unsigned long", .size),
    "max_low_pfn": ("unsigned long", .size),
    "memstart_addr": ("s64", .size),
    "kimage_voffset": ("u64", .size),
    "vabits_actual": ("u64", .size),
    "system_state": ("enum system_states", .size),
    "contig_page_data": ("struct pglist_data", .size),
    "prb": ("struct printk_ringbuffer *", .size),
    "memblock": ("struct memblock", .size),
    "iomem_resource": ("struct resource", .text("*name", "PCI mem")),
    "ioport_resource": ("struct resource", .text("*name", "PCI IO")),
    "root_task_group": ("struct task_group", .size),
    "cgrp_dfl_root": ("struct cgroup_root", .size),
    "init_css_set": ("struct css_set", .size),
    "swapper_space": ("struct address_space", .size),
    "kthreadd_task": ("struct task_struct *", .size),
    "nr_threads": ("int", .size),
    "total_forks": ("unsigned long", .size),
    "sysctl_overcommit_memory": ("int", .size),
    "nr_swap_pages": ("atomic_long_t", .size),
  ]

  /// The type of `symbol`; nil if it is none of these, or its contents contradict the type.
  func type(of symbol: Symbol, at address: UInt64) -> CType? {
    guard let row = Self.rows[symbol.name], let type = named(row.type) else { return nil }
    // A kallsyms symbol reaches to the next one, including padding. VMCOREINFO has no sizes.
    if symbol.type != nil, symbol.size > 0, let size = type.size, symbol.size < UInt64(size) { return nil }
    return agrees(row.proof, type, address) ? type : nil
  }

  private func named(_ text: String) -> CType? {
    if text.hasSuffix(" *") { return named(String(text.dropLast(2))).map { .pointer($0) } }
    let syntax = try? evaluator.parse("sizeof(\(text))")
    guard case .sizeOfType(let name)? = syntax?.form else { return nil }
    return try? evaluator.type(name)
  }

  private func agrees(_ proof: Proof, _ type: CType, _ address: UInt64) -> Bool {
    let memory = evaluator.memory
    func place(_ path: String) -> UInt64? {
      var operand = Operand.memory(address, type)
      for name in path.split(separator: ".") {
        guard let next = try? evaluator.member(operand, String(name), isPointer: false, 0..<0, 0..<0) else {
          return nil
        }
        operand = next
      }
      return operand.address
    }
    switch proof {
    case .size: return true
    case .list:
      guard let next = memory.pointer(at: address) else { return false }
      return memory.pointer(at: next &+ 8) == address
    case .text(let path, let start):
      let isPointer = path.hasPrefix("*")
      guard let member = place(isPointer ? String(path.dropFirst()) : path),
        let text = isPointer ? memory.pointer(at: member) : member
      else { return false }
      return memory.string(at: text, limit: 64)?.hasPrefix(start) ?? false
    case .pointer(let path, let name):
      guard let member = place(path), let wanted = evaluator.names.kernel.symbol(named: name)?.address else {
        return false
      }
      return memory.pointer(at: member) == wanted
    }
  }
}
