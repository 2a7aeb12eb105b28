"""An OTLP/HTTP collector on a port of its own, and what its spans say; for the tests of executables beside this file."""
import gzip
import http.server
import threading
import time


class Collector:
    """An OTLP/HTTP collector on a port of its own. While it is `holding` it takes requests and answers none; what came then is in `held`."""

    def __init__(self):
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
        self.spans, self.held = [], []
        self.holding = False
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                message = ExportTraceServiceRequest()
                message.ParseFromString(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
                spans = [span for resource in message.resource_spans for scope in resource.scope_spans for span in scope.spans]
                if outer.holding:
                    outer.held += spans
                    self.connection.recv(1)  # Until the sender is gone.
                    self.close_connection = True
                else:
                    outer.spans += spans
                    self.do_GET()

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, seconds=60):
        """Until a turn has come and nothing more for two seconds."""
        until, seen, since = time.time() + seconds, 0, time.time()
        while time.time() < until and not (self.spans and time.time() - since > 2):
            if len(self.spans) != seen:
                seen, since = len(self.spans), time.time()
            time.sleep(0.1)
        return self.spans


def attributes(span):
    return {a.key: getattr(a.value, a.value.WhichOneof("value") or "string_value") for a in span.attributes}
