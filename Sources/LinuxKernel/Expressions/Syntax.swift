import DebugInfo

/// A parsed expression.
struct Syntax: Sendable {
  indirect enum Form: Sendable {
    case number(UInt64, isUnsigned: Bool, isLong: Bool)
    /// A symbol, optionally of a module or a CPU, or an enumerator.
    case name(String, module: String?, cpu: Int?)
    case unary(String, Syntax)
    case binary(String, Syntax, Syntax)
    case conditional(Syntax, Syntax, Syntax)
    case member(Syntax, String, isPointer: Bool, name: Range<Int>)
    case indexed(Syntax, Syntax)
    /// The elements from the first index up to, but not including, the second.
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
  /// Its range in the text, in bytes.
  let range: Range<Int>
}

/// A type name in an expression.
struct TypeSyntax: Sendable {
  /// The named type, and any `*`, `const` and the like after it.
  let base: TypeName
  let pointers: Int
  /// The length of the array, if it is one.
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
