/// What can be wrong with what the command itself reads and writes.
enum CommandError: Error, CustomStringConvertible {
  case emptyInput
  case noTokens
  case unreadableInput(reason: String)
  case unwritableOutput(reason: String)
  case missingText(path: String)
  case unreadableChat(path: String, reason: String)
  case badChat(path: String, problem: String)
  case tooManyTokens(found: Int, limit: Int)
  case unsoundRun(path: String, problems: Int)
  case damagedRun(problem: String)
  case noTrial(place: String)

  var status: ExitStatus {
    switch self {
    case .emptyInput, .noTokens, .badChat, .tooManyTokens, .unsoundRun, .damagedRun: .data
    case .unreadableChat, .missingText, .noTrial: .missingInput
    case .unreadableInput, .unwritableOutput: .io
    }
  }

  var description: String {
    switch self {
    case .emptyInput: "Expected some text on standard input, found none: pipe a text in."
    case .noTokens:
      "Expected text of at least one token, found none that the model knows: give another text."
    case .unreadableInput(let reason):
      "Expected standard input to be readable, found that \(reason): pipe or redirect a text in."
    case .unwritableOutput(let reason):
      "Expected to write all results to standard output, found that \(reason): "
        + "free space or redirect the output elsewhere."
    case .missingText(let path):
      "Expected --text to name a file, found none at \(path): check its path."
    case .unreadableChat(let path, let reason):
      "Expected --chat to name a readable file, found that \(path) is not one, \(reason): "
        + "check its path and permissions."
    case .badChat(let path, let problem):
      "Expected \(path) to hold [{\"role\": …, \"content\": …}, …], found \(problem): "
        + "correct the file."
    case .tooManyTokens(let found, let limit):
      "Expected at most \(limit) tokens, the model's context, found \(found): shorten the text."
    case .unsoundRun(let path, let problems):
      "Expected the run in \(path) as it was written, found \(problems) "
        + (problems == 1 ? "problem" : "problems") + ": restore the named files from a copy."
    case .damagedRun(let problem): problem
    case .noTrial(let place):
      "Expected a finished trial in \(place), found none: run `plumbline trial` to its end, or name "
        + "another run."
    }
  }
}
