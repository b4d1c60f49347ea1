import KernelVA

extension Output {
  /// An element of a container as a JSON object.
  func elementJSON(_ item: ContainerElement, _ values: [(name: String, value: CValue)]) {
    jsonLine { object in
      object.hex("element", item.address)
      if let index = item.index { object.integer("index", Int64(bitPattern: index), isSigned: false) }
      if let last = item.last { object.integer("last", Int64(bitPattern: last), isSigned: false) }
      object.object("values") { object in
        for (name, value) in values { object.value(name, value) }
      }
    }
  }

  /// Why a container is incomplete, as a JSON object.
  func listEndJSON(_ message: Diagnostic) {
    jsonLine { object in
      object.string("end", "broken")
      object.diagnostic("message", message)
    }
  }

  /// An element in a line.
  func elementText(_ item: ContainerElement, _ values: [(name: String, value: CValue)]) {
    if let index = item.index {
      decimal(index)
      if let last = item.last, last != index { text(last == .max ? "-" : "-\(last)") }
      text(": ")
    }
    if item.isValue { text("value ") }
    hex(item.address)
    for (number, (name, value)) in values.enumerated() {
      text(number == 0 ? "  " : ", ")
      printable(name)
      text(" = ")
      self.line(value)
    }
    newline()
  }

  /// A value in one line.
  private func line(_ value: CValue) {
    switch value {
    case .record(let members):
      text("{")
      for (number, (name, value)) in members.enumerated() {
        text(number == 0 ? " ." : ", .")
        printable(name)
        text(" = ")
        line(value)
      }
      text(" }")
    case .array(let elements, let count):
      text("{")
      for (number, element) in elements.enumerated() {
        text(number == 0 ? " " : ", ")
        line(element)
      }
      text(count > elements.count ? ", ... }" : " }")
    default: self.value(value, 0, inHex: false)
    }
  }
}
