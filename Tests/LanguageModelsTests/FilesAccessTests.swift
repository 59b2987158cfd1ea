import Foundation
import LanguageModels
import Testing

@Suite struct `Access to model files` {
  @Test func `a path that is no model file is refused with a remedy`() throws {
    try ScratchFile.inFolder { folder in
      let empty = folder.appendingPathComponent("empty").path
      try Data().write(to: URL(fileURLWithPath: empty))
      let pipe = folder.appendingPathComponent("pipe").path
      #expect(mkfifo(pipe, 0o600) == 0)
      for (path, says) in [
        (folder.path, "found a folder: name a file inside it."),
        (folder.appendingPathComponent("missing").path, "found no such file: check the path's"),
        (empty + "/below", "found no such file"), (empty, "found an empty file"),
        (pipe, "found a device or pipe"), ("/dev/zero", "found a device or pipe"),
        ("", "found no such file"), (empty + "\0more", "found no such file"),
      ] {
        #expect {
          try GGUFFile(path: path)
        } throws: { "\($0)".contains(says) }
        #expect {
          try SafetensorsFile(path: path)
        } throws: { "\($0)".contains(says) }
      }
    }
  }

  @Test func `a file without permission is refused as such`() async {
    // In its own process, which gives up root's right to read everything.
    await #expect(processExitsWith: .success) {
      try ScratchFile.holding(GGUFBuilder.tiny().build()) { path in
        #expect(chmod(path, 0) == 0)
        let root = geteuid() == 0
        if root { #expect(seteuid(65_534) == 0) }
        defer { if root { _ = seteuid(0) } }
        #expect {
          try GGUFFile(path: path)
        } throws: { error in
          guard case .unreadable(let problem)? = error as? ModelFileError else { return false }
          return problem.path == path && problem.found == "permission denied"
        }
        let output = (path as NSString).deletingLastPathComponent + "/out"
        #expect(chmod((path as NSString).deletingLastPathComponent, 0o555) == 0 || root)
        #expect {
          try AtomicFile.write([1], to: output)
        } throws: { "\($0)".contains("permission denied") }
      }
    }
  }

  @Test func `an error halfway leaves the old file and nothing else`() throws {
    try ScratchFile.inFolder { folder in
      let path = folder.appendingPathComponent("x").path
      try AtomicFile.write(Array("old".utf8), to: path)
      let stop = ModelFileError.malformed(.init(path: "p", expected: "e", found: "f", remedy: "r"))
      #expect(throws: stop) {
        try AtomicFile.write(to: path) { (output) throws(ModelFileError) in
          try output.append(Array("new".utf8))
          throw stop
        }
      }
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "old")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["x"])
      try AtomicFile.write(Array("newer".utf8), to: path)
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "newer")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["x"])
    }
  }

  @Test func `a write that the system cuts short leaves the old file and nothing else`() async {
    // In its own process, whose files may hold 64 kB: stands for a disk that fills.
    await #expect(processExitsWith: .success) {
      try ScratchFile.inFolder { folder in
        let path = folder.appendingPathComponent("x.safetensors").path
        try SafetensorsFile.write([.init(name: "a", shape: [1], values: [1])], to: path)
        signal(SIGXFSZ, SIG_IGN)
        var limit = rlimit(rlim_cur: 65_536, rlim_max: 65_536)
        #if os(Linux)
          #expect(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
        #else
          #expect(setrlimit(RLIMIT_FSIZE, &limit) == 0)
        #endif
        let values = [Float](repeating: 2, count: 100_000)
        #expect {
          try SafetensorsFile.write([.init(name: "a", shape: [100_000], values: values)], to: path)
        } throws: { error in
          guard case .unwritable(let problem)? = error as? ModelFileError else { return false }
          return problem.path == path
        }
        #expect(try SafetensorsFile(path: path).tensor("a").floats() == [1])
        #expect(
          try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["x.safetensors"])
      }
    }
  }

  @Test func `a path that cannot take a file is refused with a remedy`() throws {
    try ScratchFile.inFolder { folder in
      let pipe = folder.appendingPathComponent("pipe").path
      #expect(mkfifo(pipe, 0o600) == 0)
      for (path, says) in [
        (folder.path, "found a folder of that name"), (pipe, "found a device or pipe"),
        (folder.path + "/no/x", "found no such folder"), ("", "found no such folder"),
      ] {
        #expect {
          try AtomicFile.write([1], to: path)
        } throws: { "\($0)".contains(says) }
      }
      let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      #expect(names == ["pipe"])
    }
  }
}
