import KernelVA

extension Output {
  /// An open file as a JSON object.
  func openFileJSON(_ file: OpenFile) {
    jsonLine { object in
      object.number("fd", file.descriptor)
      object.hex("file", file.structure)
      object.string("path", file.path)
      object.hex("offset", file.offset)
      object.strings("flags", file.flagNames)
    }
  }

  /// Open files for people.
  func openFileTable(_ files: [OpenFile]) {
    table(.right("FD"), .left("FILE"), .right("OFFSET"), .left("FLAGS"), .left("PATH")) { table in
      for file in files {
        table.row(
          "\(file.descriptor)", Words.hex(file.structure), Words.hex(file.offset),
          file.flagNames.map { String($0.dropFirst(2).lowercased()) }.joined(separator: ","), file.path ?? "?")
      }
    }
  }
}
