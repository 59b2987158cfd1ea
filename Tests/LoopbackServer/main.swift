import Foundation
import Synchronization

// An HTTP server in a process of its own, which behaves as the name of the model that is asked says.
//
//     LoopbackServer
//
// Prints its port, which the system chose, and serves 127.0.0.1 until its standard input ends, so
// that it does not outlive tests that were killed. Names are words with slashes between them; the
// last word only tells tests apart. See `Script` for what they do.
//
// Over POSIX sockets and nothing else, because what is tested is a client, and a server by the same
// library would share its mistakes.

signal(SIGPIPE, SIG_IGN)

let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
var address = sockaddr_in()
address.sin_family = sa_family_t(AF_INET)
address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
var length = socklen_t(MemoryLayout<sockaddr_in>.size)
let isListening = withUnsafeMutablePointer(to: &address) { pointer in
  pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
    bind(listener, generic, length) == 0 && listen(listener, 512) == 0
      && getsockname(listener, generic, &length) == 0
  }
}
guard isListening else {
  FileHandle.standardError.write(Data("cannot listen: errno \(errno)\n".utf8))
  exit(1)
}
print(UInt16(bigEndian: address.sin_port))
fflush(nil)

Thread.detachNewThread {
  var byte: UInt8 = 0
  while read(STDIN_FILENO, &byte, 1) > 0 {}
  exit(0)
}

let script = Script()
while true {
  let socket = accept(listener, nil, nil)
  guard socket >= 0 else { continue }
  Thread.detachNewThread {
    var connection = Connection(socket: socket)
    while let request = connection.next(), script.answer(request, on: connection) {}
    connection.end()
  }
}
