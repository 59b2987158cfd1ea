/// The regular expressions with which byte-level tokenizers cut a text into words, found by hand
/// in one pass: a regular expression takes fifty times as long.
///
/// Every one is the published pattern of its family; ``init(regex:)`` knows them by their text.
struct WordPattern: Equatable, Sendable {
  enum Family: Equatable, Sendable {
    /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
    case gpt2
    /// GPT-4's, Llama 3's and Qwen's: contractions in any case, words with one sign before them.
    case gpt4
    /// GPT-4o's and Tekken's, which also cut where lower case meets upper case.
    case gpt4o
    /// DeepSeek V3's third expression, under which some scalars match nothing.
    case deepSeek
    /// `\p{N}{1,3}`
    case numbers
    /// `[一-龥぀-ゟ゠-ヿ]+`
    case ideographs
  }

  var family: Family
  /// The longest run of numbers that is one word.
  var digits = 1
  /// Whether contractions such as `'ll` are cut off, in upper case as in lower case.
  var contractions = true
  /// Whether marks belong to words (Qwen 3.5).
  var marksAreLetters = false

  private static let contractionsPattern = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
  private static let spaces = #"|\s*[\r\n]+|\s+(?!\S)|\s+"#
  private static let upperLower =
    #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"#
  private static let upper =
    #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"#

  /// All patterns by their text.
  private static let known: [(regex: String, pattern: WordPattern)] = {
    let signs = #"| ?[^\s\p{L}\p{N}]+[\r\n]*"#
    let slashes = #"| ?[^\s\p{L}\p{N}]+[\r\n/]*"#
    let deepSeek =
      ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"##
      + #"| ?[\p{P}\p{S}]+[\r\n]*"# + spaces
    var known: [(String, WordPattern)] = [
      (
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#,
        WordPattern(family: .gpt2)
      ),
      (
        #"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#,
        WordPattern(family: .gpt2)
      ),
      (
        contractionsPattern
          + #"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"#
          + spaces, WordPattern(family: .gpt4, marksAreLetters: true)
      ),
      (deepSeek, WordPattern(family: .deepSeek)),
      // The same with the line breaks themselves, as it was published.
      (deepSeek.replacing(#"\r\n"#, with: "\r\n"), WordPattern(family: .deepSeek)),
      (#"\p{N}{1,3}"#, WordPattern(family: .numbers, digits: 3)),
      (#"\p{N}"#, WordPattern(family: .numbers)),
      ("[一-龥\u{3040}-ゟ゠-ヿ]+", WordPattern(family: .ideographs)),
    ]
    for (numbers, digits) in [(#"|\p{N}{1,3}"#, 3), (#"|\p{N}"#, 1), (#"|\p{N}+"#, Int.max)] {
      let words = #"[^\r\n\p{L}\p{N}]?\p{L}+"# + numbers + signs + spaces
      let cut = [upperLower, upper].map { $0 + contractionsPattern + "?" }.joined(separator: "|")
      known += [
        (contractionsPattern + "|" + words, WordPattern(family: .gpt4, digits: digits)),
        (words, WordPattern(family: .gpt4, digits: digits, contractions: false)),
        (cut + numbers + slashes + spaces, WordPattern(family: .gpt4o, digits: digits)),
        (
          upperLower + "|" + upper + numbers + slashes + spaces,
          WordPattern(family: .gpt4o, digits: digits, contractions: false)
        ),
      ]
    }
    return known
  }()

  init(
    family: Family, digits: Int = 1, contractions: Bool = true, marksAreLetters: Bool = false
  ) {
    (self.family, self.digits) = (family, digits)
    (self.contractions, self.marksAreLetters) = (contractions, marksAreLetters)
  }

  /// The pattern with this text; nil where it is none of those implemented.
  init?(regex: String) {
    let bytes = Array(regex.utf8)
    guard let entry = Self.known.first(where: { bytes == Array($0.regex.utf8) }) else { return nil }
    self = entry.pattern
  }
}
