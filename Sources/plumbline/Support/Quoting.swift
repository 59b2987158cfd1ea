internal import Lab

/// `text` in quotation marks with its control characters escaped, so that it stays on its line.
func quoted(_ text: String) -> String { JSONValue.string(text).canonicalText }
