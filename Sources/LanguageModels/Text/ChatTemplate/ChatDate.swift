/// A moment that a template may write into a prompt, in whatever time zone the caller means.
///
/// Given and never looked up: a prompt that changes with the day would make a study one that
/// nobody can repeat.
package struct ChatDate: Equatable, Sendable {
  package var year: Int
  /// 1 to 12.
  package var month: Int
  /// 1 to 31.
  package var day: Int
  package var hour: Int
  package var minute: Int
  package var second: Int

  package init(
    year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0
  ) {
    precondition((1...12).contains(month) && (1...31).contains(day), "\(year)-\(month)-\(day)")
    precondition((1...9999).contains(year), "the year \(year)")
    (self.year, self.month, self.day) = (year, month, day)
    (self.hour, self.minute, self.second) = (hour, minute, second)
  }

  /// C's `strftime` with English names; nil for a conversion that is not implemented.
  func formatted(_ format: String) -> String? {
    var result = ""
    var scalars = format.unicodeScalars[...]
    while let scalar = scalars.popFirst() {
      guard scalar == "%" else {
        result.unicodeScalars.append(scalar)
        continue
      }
      guard let code = scalars.popFirst(), let text = field(code) else { return nil }
      result += text
    }
    return result
  }

  private func field(_ code: Unicode.Scalar) -> String? {
    switch code {
    case "Y": String(year)
    case "y": Self.padded(year % 100)
    case "m": Self.padded(month)
    case "d": Self.padded(day)
    case "e": Self.padded(day, with: " ")
    case "B": Self.months[month - 1]
    case "b", "h": String(Self.months[month - 1].prefix(3))
    case "A": Self.days[weekday]
    case "a": String(Self.days[weekday].prefix(3))
    case "H": Self.padded(hour)
    case "I": Self.padded((hour + 11) % 12 + 1)
    case "p": hour < 12 ? "AM" : "PM"
    case "M": Self.padded(minute)
    case "S": Self.padded(second)
    case "F": "\(year)-\(Self.padded(month))-\(Self.padded(day))"
    case "T": "\(Self.padded(hour)):\(Self.padded(minute)):\(Self.padded(second))"
    case "%": "%"
    default: nil
    }
  }

  /// 0 for Sunday, by Sakamoto's method.
  private var weekday: Int {
    let shifts = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4]
    let year = month < 3 ? year - 1 : year
    return (year + year / 4 - year / 100 + year / 400 + shifts[month - 1] + day) % 7
  }

  private static func padded(_ number: Int, with pad: String = "0") -> String {
    number < 10 ? "\(pad)\(number)" : String(number)
  }

  private static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
  ]
  private static let days = [
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
  ]
}
