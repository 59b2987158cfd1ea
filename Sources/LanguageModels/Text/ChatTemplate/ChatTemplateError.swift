/// Why a chat template cannot be read, or not be filled in.
package enum ChatTemplateError: Error, Equatable, CustomStringConvertible {
  /// The template is no Jinja.
  case syntax(line: Int, problem: String)
  /// Jinja that Plumbline does not implement.
  case unsupported(line: Int, construct: String)
  /// An operation on values that it is not defined for.
  case evaluation(line: Int, problem: String)
  /// The template's own `raise_exception`: it refuses these messages.
  case refused(message: String)
  /// The template takes more steps, or writes more text, than any honest one.
  case limit(line: Int, what: String)

  /// Expected, found, remedy, in one sentence.
  package var description: String {
    switch self {
    case .syntax(let line, let problem):
      "Expected a Jinja chat template, found \(problem) in line \(line): "
        + "correct the model's chat template."
    case .unsupported(let line, let construct):
      "Expected Jinja as chat templates commonly use it, found \(construct) in line \(line), "
        + "which is not implemented: give the prompt as plain text instead."
    case .evaluation(let line, let problem):
      "Expected values that fit the chat template, found \(problem) in line \(line): "
        + "check the roles and contents of the messages."
    case .refused(let message):
      "Expected messages that the model's chat template accepts, found that it says "
        + "\"\(message)\": change the messages accordingly."
    case .limit(let line, let what):
      "Expected a chat template that ends, found \(what) at line \(line): "
        + "correct the model's chat template."
    }
  }
}
