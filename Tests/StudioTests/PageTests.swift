import Foundation
import Studio
import Testing

@Suite struct PageTests {
  @Test func `demo page is written whole`() throws {
    let html = try DemoReport.page.html()
    if let folder = ProcessInfo.processInfo.environment["PLUMBLINE_DEMO_REPORT"] {
      try html.write(toFile: folder + "/report.html", atomically: true, encoding: .utf8)
    }
    #expect(XMLReading(html).failure == nil)
  }
}
