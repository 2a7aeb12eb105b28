#!/usr/bin/env python3
"""Drives the real `codex app-server` over stdio, as editors and desktop applications do: several threads in one process
that lives on.

    app_server.py CODEX CWD < COMMANDS       one JSON object a line, answered by one JSON line each, done in order

A COMMAND is one of

    {"start": "a", "params": {...}}          begins a thread that is called "a" from now on
    {"turn": "a", "text": "hi", "wait": true, "params": {...}}
                                             begins a turn; with wait (the default) answers once it is over
    {"over": "a"}                            waits until the turn begun last in "a" is over
    {"item": "CommandExecution", "in": "a"}  waits until such an item has begun or ended in "a"
    {"shell": "a", "command": "ls"}          runs the user's own command in the thread
    {"call": "review/start", "params": {"threadId": "{a}", ...}}     any method; "{a}" is the thread's id, "{turn:a}" its last turn's
    {"until": "turn/completed", "count": 2}  waits for that many such notifications since the beginning
    {"answer": "decline"}                    what approvals are answered with from now on: accept (at first), decline, cancel
    {"sleep": 1.5}

An answer has "thread", "turn" and "status" where there are any, "result", or "error". The server ends with the input.
"""
import json
import re
import subprocess
import sys
import threading
import time


class App:
    def __init__(self, codex, cwd, env=None):
        self.process = subprocess.Popen([codex, "app-server"], env=env, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1)
        self.cwd, self.number, self.answers, self.told, self.decision = cwd, 0, {}, [], "accept"
        self.threads, self.turns = {}, {}
        self.news = threading.Condition()
        threading.Thread(target=self.listen, daemon=True).start()
        self.call("initialize", {"clientInfo": {"name": "lab-editor", "title": "Lab editor", "version": "1.0.0"}, "capabilities": {"experimentalApi": True}})
        self.send({"method": "initialized"})

    def send(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def listen(self):
        for line in self.process.stdout:
            message = json.loads(line)
            if "method" in message and "id" in message:
                self.send({"id": message["id"], "result": self.reply(message)})
            with self.news:
                if "method" not in message:
                    self.answers[message["id"]] = message
                else:
                    self.told.append(message)
                self.news.notify_all()

    def reply(self, message):
        """Answers what the server asks: a question with its first option, anything else with the decision in force."""
        if message["method"] != "item/tool/requestUserInput":
            return {"decision": self.decision}
        return {"answers": {q["id"]: {"answers": [q["options"][0]["label"]]} for q in message["params"]["questions"]}}

    def wait(self, until, what, seconds=60):
        with self.news:
            if not self.news.wait_for(until, seconds):
                raise TimeoutError(what)

    def call(self, method, params):
        self.number += 1
        number = self.number
        self.send({"id": number, "method": method, "params": params})
        self.wait(lambda: number in self.answers, method)
        if "error" in self.answers[number]:
            raise RuntimeError(f"{method}: {self.answers[number]['error']}")
        return self.answers[number]["result"]

    def notified(self, method):
        return [m["params"] for m in self.told if m.get("method") == method]

    def over(self, name):
        ended = lambda: [p["turn"] for p in self.notified("turn/completed") if p["turn"]["id"] == self.turns[name]]
        self.wait(ended, f"the end of {self.turns[name]}")
        return {"thread": self.threads[name], "turn": self.turns[name], "status": ended()[0]["status"]}

    def named(self, value):
        """Fills in ids of threads and turns."""
        text = json.dumps(value)
        text = re.sub(r"\{turn:(\w+)\}", lambda m: self.turns[m[1]], text)
        return json.loads(re.sub(r"\{(\w+)\}", lambda m: self.threads.get(m[1], m[0]), text))

    def do(self, command):
        params = self.named(command.get("params", {}))
        if "start" in command:
            name = command["start"]
            self.threads[name] = self.call("thread/start", {"cwd": self.cwd, **params})["thread"]["id"]
            return {"thread": self.threads[name]}
        if "turn" in command:
            name = command["turn"]
            asked = {"threadId": self.threads[name], "input": [{"type": "text", "text": command["text"]}], **params}
            self.turns[name] = self.call("turn/start", asked)["turn"]["id"]
            return self.over(name) if command.get("wait", True) else {"thread": self.threads[name], "turn": self.turns[name]}
        if "over" in command:
            return self.over(command["over"])
        if "item" in command:
            thread, kind = self.threads[command["in"]], command["item"].lower()
            of = lambda p: p.get("threadId") == thread and p["item"]["type"].lower() == kind
            self.wait(lambda: any(of(p) for method in ("item/started", "item/completed") for p in self.notified(method)), f"a {kind}")
            return {}
        if "shell" in command:
            return {"result": self.call("thread/shellCommand", {"threadId": self.threads[command["shell"]], "command": command["command"]})}
        if "until" in command:
            self.wait(lambda: len(self.notified(command["until"])) >= command.get("count", 1), command["until"])
            return {}
        if "answer" in command:
            self.decision = command["answer"]
            return {}
        if "sleep" in command:
            time.sleep(command["sleep"])
            return {}
        return {"result": self.call(command["call"], params)}

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()


def main():
    app = App(sys.argv[1], sys.argv[2])
    for line in sys.stdin:
        try:
            answer = app.do(json.loads(line))
        except (RuntimeError, TimeoutError, LookupError) as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)
    app.close()


if __name__ == "__main__":
    main()
