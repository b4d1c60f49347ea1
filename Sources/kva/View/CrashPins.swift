import KernelVA

/// An address of the crash that the page links to.
struct CrashPin {
  let name: String
  let address: UInt64
  /// What it points to, as text; empty if unknown.
  let text: String
}

extension TriageReport {
  /// The addresses at the time of the crash: pc, sp, FAR, and other registers that point to something.
  var pins: [CrashPin] {
    var pins: [CrashPin] = []
    if let fault {
      if let far = fault.far { pins.append(CrashPin(name: "FAR", address: far, text: fault.object ?? "")) }
      let words = Dictionary(fault.pointers.map { ($0.name, $0.text) }, uniquingKeysWith: { first, _ in first })
      let order = ["pc", "sp"]
      let registers = fault.registers.filter { order.contains($0.name) || words[$0.name] != nil }
      for register in registers.filter({ order.contains($0.name) }) + registers.filter({ !order.contains($0.name) }) {
        pins.append(CrashPin(name: register.name, address: register.value, text: words[register.name] ?? ""))
      }
    }
    for cpu in cpus {
      guard let registers = cpu.state.registers else { continue }
      pins.append(CrashPin(name: "pc of CPU \(cpu.state.cpu)", address: registers.pc, text: cpu.trace.first ?? ""))
      pins.append(CrashPin(name: "sp of CPU \(cpu.state.cpu)", address: registers.sp, text: ""))
    }
    for stack in stacks ?? [] where stack.task.stack != 0 {
      pins.append(
        CrashPin(
          name: "stack of \(stack.task.comm), \(stack.task.pid)", address: stack.task.stack,
          text: stack.chain.first?.text ?? ""))
    }
    return pins
  }
}
