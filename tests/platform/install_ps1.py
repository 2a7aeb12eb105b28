#!/usr/bin/env python3
"""Reads install.ps1 with a grammar of PowerShell, as no PowerShell runs on this system.

    install_ps1.py FILE

The file parses; cut off anywhere, it runs nothing; every variable has been given a value before it is used; commands and
parameters are such as Windows PowerShell 5.1 and PowerShell 7 both have; and the archive is compared with its checksum
before anything in it is touched. The Python that runs it needs tree-sitter and tree-sitter-powershell.
"""
import pathlib
import sys

import tree_sitter
import tree_sitter_powershell

from checks import check, ended

# The commands in use, as both editions know them.
PARAMETERS = {
    "Join-Path": set(), "Out-Null": set(), "Get-Content": set(), "Where-Object": set(), "Expand-Archive": {"-Path", "-DestinationPath"},
    "New-Item": {"-ItemType", "-Path"}, "Select-Object": {"-First"}, "Get-FileHash": {"-Algorithm", "-Path"},
    "Invoke-WebRequest": {"-UseBasicParsing", "-Uri", "-OutFile"}, "Remove-Item": {"-Recurse", "-Force", "-ErrorAction"},
}
AUTOMATIC = {"$_", "$args", "$true", "$lastexitcode"}
parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))


def text(node):
    return node.text.decode()


def below(node, *kinds):
    """The nodes of these kinds, in the order of the text."""
    found = [node] if node.type in kinds else []
    for child in node.children:
        found += below(child, *kinds)
    return found


def runs(source):
    """What a script would run beside defining functions; None where it does not parse, of which PowerShell runs nothing."""
    root = parser.parse(source).root_node
    if root.has_error:
        return None
    lists = [child for child in root.children if child.type == "statement_list"]
    return [text(one) for whole in lists for one in whole.named_children if one.type not in ("function_statement", "comment", "empty_statement")]


def commands(root):
    """Each command's name and parameters; those called by `&` have none."""
    for command in below(root, "command"):
        names = [text(name) for name in command.children if name.type == "command_name"]
        elements = [one for child in command.children if child.type == "command_elements" for one in child.children]
        yield command, names[0] if names else "&", {text(one) for one in elements if one.type == "command_parameter"}


def main():
    source = pathlib.Path(sys.argv[1]).read_bytes()
    root = parser.parse(source).root_node
    check("it parses", not root.has_error)
    whole = source.rstrip()
    check("it runs one thing", len(runs(whole) or []) == 1, runs(whole))
    # The beginning of a word is a command that is not there.
    early = [(at, found) for at in range(len(whole)) if (found := runs(whole[:at])) and not any(word.startswith(*found) for word in ("function", "if"))]
    check("cut off anywhere, it runs nothing", not early, early[:3])

    own = {text(name) for name in below(root, "function_name")}
    unknown, given = [], set(AUTOMATIC)
    for node in below(root, "assignment_expression", "variable"):
        if node.type == "assignment_expression":
            # What stands on the right comes first when it runs.
            targets = [v for v in below(node.children[0], "variable") if text(node.children[0]) == text(v)]
            unknown += [text(v) for v in below(node, "variable") if v not in targets and not is_known(v, given)]
            given.update(text(v).lower() for v in targets)
        elif not is_known(node, given):
            unknown.append(text(node))
    check("every variable has a value", not unknown, unknown)
    wrong = [(name, parameters) for _, name, parameters in commands(root)
             if name not in own and name != "&" and (name not in PARAMETERS or parameters - PARAMETERS[name])]
    check("commands and parameters are known", not wrong, wrong)

    order = [name for _, name, _ in commands(root)]
    compared = next((node.start_byte for node in below(root, "if_statement") if "$found -ne $wanted" in text(node) and "throw" in text(node)), None)
    places = {name: command.start_byte for command, name, _ in commands(root)}
    check("the archive is compared, unpacked and run in this order",
          compared and places["Get-FileHash"] < compared < places["Expand-Archive"] < places["&"] and order.count("&") == 1, order)
    return ended()


def is_known(variable, given):
    """A setting of the environment needs no value; `@name` is the variable's splatting."""
    name = text(variable).lower().replace("@", "$", 1).replace("${", "$").rstrip("}")
    return name.startswith("$env:") or name in given


if __name__ == "__main__":
    sys.exit(main())
