#!/usr/bin/env python3
"""A scripted model behind the Responses API, so that the real Codex CLI runs offline.

    mock_model.py SCRIPT.json [--port N] [--log requests.jsonl]

SCRIPT maps an agent to its replies, one list of items for each model call:

    {"/root": [[ITEM, ...], [ITEM, ...]], "/root/helper": [[ITEM, ...]]}

A key "has:TEXT" stands for the requests whose last 400,000 characters hold TEXT and comes
before the agent's own name. A plain list is short for {"/root": list}. An agent whose replies have run out
answers "done". Items:

    {"message": "text"}                    final or intermediate assistant text
    {"reasoning": "summary"}               a reasoning item
    {"call": "exec_command", "args": {}}   a function call ("namespace": "..." optional); "{agent1}" in
                                           the arguments is the first agent's id (multi_agent_v1),
                                           "{session}" the number of the last command that still runs,
                                           "{cell}" the cell of the last script that still runs
    {"custom": "apply_patch", "input": ""} a custom (freeform) tool call
    {"web": "query"}                       a hosted web search
    {"raw": {...}}                         any output item, verbatim
    {"sleep": 0.5}                         pause before the next item
    {"stream": ["te", "xt"], "pause": 1}   an answer that comes piece by piece
    {"cut": true}                          end the connection here, without response.completed
    {"failed": {"code": "...", "message": "..."}}   a response.failed event instead of completion
    {"incomplete": "max_output_tokens"}    a response.incomplete event instead of completion
    {"error": 400, "body": {...}}          answer this call with an HTTP error
    {"usage": {"input_tokens": 1, ...}}    usage for this call instead of the default

Default usage of call n: input 1000+n (100+n cached), output 50+n (7 reasoning), so
every total can be checked by hand. Internal threads (task titles) get "Title".
The port that was bound is printed on the first line of stdout.
"""
import argparse
import base64
import hashlib
import json
import re
import subprocess
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

parser = argparse.ArgumentParser()
parser.add_argument("script")
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--log")
options = parser.parse_args()

script = json.load(open(options.script))
if isinstance(script, list):
    script = {"/root": script}
lock = threading.Lock()
calls = {}
agents = {}
total = 0


def fill(value, text):
    """{agent1} in a call's arguments becomes the id of the first agent that a spawn call returned."""
    ids = list(dict.fromkeys(re.findall(r'agent_id\\*": ?\\*"([0-9a-f-]{36})', text)))
    sessions = re.findall(r"session ID (\d+)", text)
    if sessions:
        value = json.loads(json.dumps(value).replace('"{session}"', sessions[-1]))
    cells = re.findall(r"running with cell ID ([\w:-]+)", text)
    if cells:
        value = json.loads(json.dumps(value).replace("{cell}", cells[-1]))
    for k, found in enumerate(ids):
        value = json.loads(json.dumps(value).replace("{agent%d}" % (k + 1), found))
    return value


def output_item(item, call_id, phase):
    if "message" in item or "stream" in item:
        text = item["message"] if "message" in item else "".join(item["stream"])
        return {"type": "message", "role": "assistant", "id": "msg_" + call_id, "phase": item.get("phase", phase),
                "content": [{"type": "output_text", "text": text}]}
    if "reasoning" in item:
        return {"type": "reasoning", "id": "rs_" + call_id, "encrypted_content": "opaque",
                "summary": [{"type": "summary_text", "text": item["reasoning"]}]}
    if "call" in item:
        made = {"type": "function_call", "id": "fc_" + call_id, "call_id": "call_" + call_id,
                "name": item["call"], "arguments": json.dumps(item["args"])}
        if "namespace" in item:
            made["namespace"] = item["namespace"]
        return made
    if "custom" in item:
        return {"type": "custom_tool_call", "id": "ct_" + call_id, "call_id": "call_" + call_id,
                "name": item["custom"], "input": item["input"], "status": "completed"}
    if "web" in item:
        return {"type": "web_search_call", "id": "ws_" + call_id, "status": "completed",
                "action": {"type": "search", "query": item["web"]}}
    # the real API says of every call that the model finished writing it
    finished = {"status": "completed"} if item["raw"].get("type", "").endswith("_call") else {}
    return {**finished, **item["raw"]}


def rate_limits():
    """The headers in which the real API tells how much of the plan is used."""
    now = int(time.time())
    return {"x-codex-primary-used-percent": "12.5", "x-codex-primary-window-minutes": "300", "x-codex-primary-reset-at": str(now + 3600),
            "x-codex-secondary-used-percent": "40.0", "x-codex-secondary-window-minutes": "10080", "x-codex-secondary-reset-at": str(now + 86400),
            "x-codex-credits-has-credits": "false", "x-codex-credits-unlimited": "false"}


def agent_of(meta, text):
    """The agent's path for releases that do not name it: from its task, else by order of appearance."""
    thread, root = meta.get("thread_id"), meta.get("session_id")
    with lock:
        if thread in agents:
            return agents[thread]
        if thread == root:
            return "/root"
        else:
            tasks = re.findall(r'(?:Task name: |"recipient\\*": ?\\*")(/root/[\w/]+)', text)
            agents[thread] = tasks[-1] if tasks else f"agent{len(agents) + 1}"
        return agents[thread]


def unmask(data, mask):
    whole = int.from_bytes((mask * (len(data) // 4 + 1))[:len(data)], "big")
    return (int.from_bytes(data, "big") ^ whole).to_bytes(len(data), "big")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    framed = False

    def log_message(self, *args):
        pass

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if self.headers.get("upgrade", "").lower() == "websocket":
            self.websocket()
        else:
            self.answer(200, {"models": [], "data": []})

    def websocket(self):
        """Answers each `response.create` on one connection (RFC 6455), as a provider with supports_websockets does."""
        key = self.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("upgrade", "websocket")
        self.send_header("connection", "Upgrade")
        self.send_header("sec-websocket-accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.framed, self.close_connection = True, True
        while (text := self.read_frame()) is not None:
            body = json.loads(text)
            if body.get("type") == "response.create":
                meta = (body.get("client_metadata") or {}).get("x-codex-turn-metadata") or self.headers.get("x-codex-turn-metadata")
                self.serve(body, json.loads(meta or "{}"))

    def read_frame(self):
        """The next message; none when the client has closed."""
        message = b""
        while True:
            head = self.rfile.read(2)
            if len(head) < 2:
                return None
            kind, size = head[0] & 15, head[1] & 127
            if size > 125:
                size = int.from_bytes(self.rfile.read(2 if size == 126 else 8), "big")
            mask = self.rfile.read(4) if head[1] & 128 else bytes(4)
            data = self.rfile.read(size)
            data = unmask(data, mask)
            if kind == 8:
                return None
            if kind == 9:
                self.write_frame(10, data)
            elif kind in (0, 1):
                message += data
                if head[0] & 128:
                    return message.decode()

    def write_frame(self, kind, data):
        size = len(data)
        length = bytes([size]) if size < 126 else bytes([126]) + size.to_bytes(2, "big") if size < 1 << 16 else bytes([127]) + size.to_bytes(8, "big")
        self.wfile.write(bytes([128 | kind]) + length + data)
        self.wfile.flush()

    def do_POST(self):
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("content-encoding") == "zstd":
            raw = subprocess.run(["zstd", "-dc"], input=raw, capture_output=True, check=True).stdout
        body = json.loads(raw) if raw else {}
        if not self.path.endswith(("/responses", "/responses/compact")):
            self.answer(404, {"error": {"message": "not here"}})
            return
        self.serve(body, json.loads(self.headers.get("x-codex-turn-metadata") or "{}"))

    def serve(self, body, meta):
        """Plays the script's answer to one request."""
        global total
        if body.get("generate") is False:
            # a first request that only prepares the connection: none of the script's
            self.event({"type": "response.created", "response": {"id": "resp_prepared"}})
            self.event({"type": "response.completed", "response": {"id": "resp_prepared", "output": [], "usage": None}})
            return
        text = json.dumps(body.get("input", ""))
        agent = meta.get("agent_name")
        if not agent or agent == "/root" and meta.get("thread_source") == "subagent":
            agent = agent_of(meta, text)
        with lock:
            if "single-line task title" in text and meta.get("agent_name") is None or "Generate a concise, single-line task title" in text:
                agent, items, n = "title", [{"message": "Title"}], 0
            else:
                for key in script:
                    if key.startswith("has:") and key[4:] in text[-400_000:] + json.dumps(body.get("instructions", "")):
                        agent = key
                        break
                n = calls.get(agent, 0)
                calls[agent] = n + 1
                replies = script.get(agent, [])
                items = replies[n] if n < len(replies) else [{"message": "done"}]
            # a title's request may come before or after the turn's own: it takes no number
            serial = total
            total += agent != "title"
            if options.log:
                with open(options.log, "a") as out:
                    out.write(json.dumps({"path": self.path, "agent": agent, "n": n, "meta": meta, "headers": dict(self.headers), "body": body}) + "\n")
        usage = {"input_tokens": 1000 + n, "input_tokens_details": {"cached_tokens": 100 + n},
                 "output_tokens": 50 + n, "output_tokens_details": {"reasoning_tokens": 7},
                 "total_tokens": 1050 + 2 * n}
        for item in items:
            if "error" in item:
                said = item.get("body", {"error": {"message": "scripted failure", "type": "invalid_request_error"}})
                if self.framed:
                    self.event({"type": "error", "status": item["error"], **said})
                else:
                    self.answer(item["error"], said)
                return
            usage = item.get("usage", usage)
        if not self.framed:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("connection", "close")
            for name, value in rate_limits().items():
                self.send_header(name, value)
            self.end_headers()
        response_id = "resp_" + uuid.uuid4().hex
        # the real API calls text before a call commentary, and the last word of a turn its final answer
        phase = "commentary" if any(key in item for item in items for key in ("call", "custom", "web", "raw")) else "final_answer"
        try:
            self.event({"type": "response.created", "response": {"id": response_id}})
            made = []
            for k, item in enumerate(items):
                if "sleep" in item:
                    time.sleep(item["sleep"])
                    continue
                if set(item) == {"usage"}:
                    continue
                if "cut" in item:
                    self.close_connection = True
                    return
                if "failed" in item:
                    self.event({"type": "response.failed", "response": {"id": response_id, "status": "failed", "error": item["failed"]}})
                    self.close_connection = True
                    return
                if "incomplete" in item:
                    self.event({"type": "response.incomplete", "response": {"id": response_id, "status": "incomplete", "incomplete_details": {"reason": item["incomplete"]}}})
                    self.close_connection = True
                    return
                time.sleep(0.02)
                out = output_item(fill(item, text), f"{serial}_{k}", phase)
                self.event({"type": "response.output_item.added", "output_index": k, "item": out})
                for piece in item.get("stream", []):
                    self.event({"type": "response.output_text.delta", "item_id": out["id"], "output_index": k, "content_index": 0, "delta": piece})
                    time.sleep(item.get("pause", 0.1))
                self.event({"type": "response.output_item.done", "output_index": k, "item": out})
                made.append(out)
            self.event({"type": "response.completed", "response": {"id": response_id, "output": made, "usage": usage}})
        except (BrokenPipeError, ConnectionResetError):
            pass
        self.close_connection = True

    def event(self, event):
        if self.framed:
            self.write_frame(1, json.dumps(event).encode())
            return
        self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        self.wfile.flush()


server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
