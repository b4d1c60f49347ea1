import DebugInfo

/// An expression, parsed.
struct Syntax: Sendable {
  indirect enum Form: Sendable {
    case number(UInt64, isUnsigned: Bool, isLong: Bool)
    /// A symbol, of a module or of a CPU if it says so, or an enumerator.
    case name(String, module: String?, cpu: Int?)
    case unary(String, Syntax)
    case binary(String, Syntax, Syntax)
    case conditional(Syntax, Syntax, Syntax)
    case member(Syntax, String, isPointer: Bool, name: Range<Int>)
    case indexed(Syntax, Syntax)
    /// The elements from the first index up to the second.
    case slice(Syntax, Syntax, Syntax)
    case cast(TypeSyntax, Syntax)
    case sizeOfType(TypeSyntax)
    case sizeOf(Syntax)
    case offsetOf(TypeSyntax, MemberSyntax)
    case containerOf(Syntax, TypeSyntax, MemberSyntax)
    /// `per_cpu(variable, cpu)`, and `per_cpu_ptr(pointer, cpu)`.
    case perCPU(Syntax, Syntax, isPointer: Bool)
  }
  let form: Form
  /// Its bytes of the text.
  let range: Range<Int>
}

/// A type name in an expression.
struct TypeSyntax: Sendable {
  /// What is named, and `*`, `const` and the like behind it.
  let base: TypeName
  let pointers: Int
  /// The length of an array of it.
  let count: Int?
  let range: Range<Int>
}

/// The path to a member: `a.b[2].c`.
struct MemberSyntax: Sendable {
  enum Step: Sendable {
    case member(String, Range<Int>)
    case index(Syntax)
  }
  let steps: [Step]
  let range: Range<Int>
}
