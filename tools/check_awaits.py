#!/usr/bin/env python3
"""Looks for spellings with co_await and co_yield that g++ 12 miscompiles
(docs/tutorial/compilers.md).

usage: check_awaits.py [FILE_OR_DIRECTORY]...

Without arguments: the self-test (check_awaits_cases.txt), then the headers, sources, examples,
tests and tools of the project. A line with a comment `// awaits-ok: REASON` is let pass.
"""
# SPDX-License-Identifier: MIT
import dataclasses
import pathlib
import re
import sys
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
# The canaries are there to be miscompiled.
EXCLUDED = (ROOT / "tests" / "compilers", ROOT / "tests" / "compile_fail")

# Of both words.
AWAITS = ("co_await", "co_yield")

RULES = {
    "condition": "co_await in a condition: give the value a name first",
    "ternary": "?: beside a co_await: use if and else",
    "capture": "a lambda that captures by value in a co_await expression: name it first, or [&]",
    "braces": "an object made with braces in a co_await expression: name it first",
    "braced await": "co_await inside braces: give the value a name first",
    "new": "co_await inside a new-expression: give the value a name first",
}

TOKEN = re.compile(
    r"""
    (?P<skip>   //[^\n]* | /\*.*?\*/ | \s+ | (?<![^\n])[ \t]*\#(?:\\\n|[^\n])* )
  | (?P<string> (?:u8|[uUL])?R"(?P<mark>[^()\s\\]*)\(.*?\)(?P=mark)"
              | (?:u8|[uUL])?"(?:\\.|[^"\\\n])*" | (?:u8|[uUL])?'(?:\\.|[^'\\\n])*' )
  | (?P<word>   [A-Za-z_]\w* )
  | (?P<number> \.?\d(?:'?[\w.]|(?<=[eEpP])[+-])* )
  | (?P<mark2>  :: | -> | \[\[ | [-+*/%&|^<>=!]= | && | \|\| | \+\+ | -- | . )
    """,
    re.VERBOSE | re.DOTALL,
)
CLOSING = {"(": ")", "[": "]", "{": "}", "[[": "]"}
BEFORE_BLOCK = {")", "else", "do", "try", ":", "const", "noexcept", "override", "final", "{}"}
# Types, and all of std but std::array, that are no aggregates with something to destroy.
HARMLESS = {"std", "chrono", "int", "bool", "char", "double", "float", "unsigned", "long", "size_t"}


@dataclasses.dataclass
class Token:
    text: str
    line: int


@dataclasses.dataclass
class Lambda:
    """A lambda inside an expression; its body was looked at on its own."""

    captures: list[Token]
    line: int


@dataclasses.dataclass
class Braces:
    """An initialiser in braces inside an expression, and the type in front of it, if any."""

    type: list[str]
    inside: list
    line: int


def tokenize(text: str) -> list[Token]:
    tokens, line = [], 1
    for match in TOKEN.finditer(text):
        if match["skip"] is None:
            tokens.append(Token('""' if match["string"] else match[0], line))
        line += match[0].count("\n")
    return tokens


def flatten(expression: list) -> Iterator:
    """The parts of an expression, also those inside braces."""
    for part in expression:
        yield part
        if isinstance(part, Braces):
            yield from flatten(part.inside)


def awaits(expression: list) -> bool:
    return any(isinstance(part, Token) and part.text in AWAITS for part in flatten(expression))


def split(expression: list, separator: str) -> list[list]:
    """The parts of an expression between separators that are in no parentheses."""
    parts, depth = [[]], 0
    for part in expression:
        text = part.text if isinstance(part, Token) else ""
        depth += (text in ("(", "[")) - (text in (")", "]"))
        if text == separator and depth == 0:
            parts.append([])
        else:
            parts[-1].append(part)
    return parts


def declares(condition: list) -> bool:
    """Is it `auto x = ...` or `Type<...>& x = ...`?"""
    words = [part.text if isinstance(part, Token) else "{}" for part in condition]
    if "=" not in words:
        return False
    left = " ".join(words[: words.index("=")])
    return re.fullmatch(r"(const )?[\w:<>,&* ]+ (\w+|\[ .* \])", left) is not None and " " in left


class Checker:
    """Goes once through a file's tokens, statement by statement; lambda bodies are statements of
    their own. No parser of C++: it knows as much as telling a block from an initialiser takes."""

    def __init__(self, text: str) -> None:
        self.tokens = tokenize(text)
        self.position = 0
        self.found: list[tuple[int, str]] = []
        self.statements(None)

    def peek(self, offset: int = 0) -> str:
        index = self.position + offset
        return self.tokens[index].text if index < len(self.tokens) else ""

    def take(self) -> Token:
        self.position += 1
        return self.tokens[self.position - 1]

    def statements(self, end: str | None) -> None:
        """Up to the brace that ends the block, or the end of the file."""
        expression: list = []
        while self.position < len(self.tokens):
            text = self.peek()
            if text == end:
                break
            if text in ("if", "while", "switch", "for") and self.opens_condition():
                self.check(expression)
                expression = []
                self.condition(text)
            elif text in (";", "}"):
                self.take()
                self.check(expression)
                expression = []
            elif text == "{" and self.begins_block(expression):
                self.take()
                self.check(expression)
                expression = []
                self.statements("}")
                self.position += 1
            else:
                self.part(expression)
        self.check(expression)

    def opens_condition(self) -> bool:
        return self.peek(1) == "(" or (self.peek(1) == "constexpr" and self.peek(2) == "(")

    def begins_block(self, statement: list) -> bool:
        """Is the brace ahead a block, and no initialiser?"""
        if not statement:
            return True
        words = [part.text if isinstance(part, Token) else "{}" for part in statement]
        if words[-1] in BEFORE_BLOCK:
            return True
        if words[0] in ("template", "namespace", "extern", "struct", "class", "enum", "union"):
            return "=" not in words
        return "->" in words or "operator" in words or words[0] in ("typedef", "export", "requires")

    def condition(self, keyword: str) -> None:
        line = self.take().line
        if self.peek() == "constexpr":
            self.take()
        self.take()
        inside: list = []
        self.group(inside, ")")
        self.check(inside)
        clauses = split(inside, ";")
        if keyword == "for":
            # Range-for, the beginning and declarations are evaluated as statements are.
            clauses = clauses[1:]
        elif len(clauses) == 2:
            clauses = clauses[1:]
        for clause in clauses:
            if awaits(clause) and not declares(clause):
                self.found.append((line, "condition"))

    def group(self, expression: list, end: str) -> None:
        """The parts up to a closing bracket, which is taken and left out."""
        while self.position < len(self.tokens) and self.peek() != end:
            self.part(expression)
        self.position += 1

    def part(self, expression: list) -> None:
        """The next token, with all that is inside it if it is a bracket."""
        text = self.peek()
        if text == "[[":
            self.take()
            self.group([], "]")
            self.position += 1
        elif text == "[" and self.begins_lambda(expression):
            expression.append(self.lambda_())
        elif text in ("(", "["):
            expression.append(self.take())
            inside: list = []
            self.group(inside, CLOSING[text])
            expression += inside
            expression.append(Token(CLOSING[text], self.tokens[self.position - 1].line))
        elif text == "{":
            line = self.take().line
            braces = Braces(type_before(expression), [], line)
            self.group(braces.inside, "}")
            expression.append(braces)
        else:
            expression.append(self.take())

    def begins_lambda(self, expression: list) -> bool:
        """Or is it a subscript, or a structured binding?"""
        before = expression[-1] if expression else None
        if isinstance(before, (Lambda, Braces)):
            return False
        if before is None or before.text in ("return", "co_return", "co_await", "co_yield"):
            return True
        if before.text in ("auto", "&", "&&") and self.is_binding():
            return False
        return not re.fullmatch(r"\w.*|[\])]|\"\"|>", before.text)

    def is_binding(self) -> bool:
        """`[a, b] =`, and no `[a, b] {` or `[a, b] (`?"""
        offset = 0
        while self.peek(offset) not in ("]", ""):
            offset += 1
        return self.peek(offset + 1) in ("=", ":")

    def lambda_(self) -> Lambda:
        line = self.take().line
        captures: list = []
        self.group(captures, "]")
        while self.peek() not in ("{", "", ";"):
            if self.peek() == "(":
                self.take()
                self.group([], ")")
            else:
                self.take()
        if self.peek() == "{":
            self.take()
            self.statements("}")
            self.position += 1
        return Lambda(captures, line)

    def check(self, expression: list) -> None:
        """A whole expression or declaration, without what is in lambdas."""
        if not awaits(expression):
            return
        in_options = {id(part) for part in fields_of_options(expression)}
        for index, part in enumerate(flat := list(flatten(expression))):
            if isinstance(part, Lambda):
                if captures_by_value(part.captures):
                    self.found.append((part.line, "capture"))
            elif isinstance(part, Braces):
                if awaits(part.inside):
                    self.found.append((part.line, "braced await"))
                elif not is_harmless(part) and id(part) not in in_options:
                    self.found.append((part.line, "braces"))
            elif part.text == "?":
                self.found.append((part.line, "ternary"))
            elif part.text == "new" and awaits(argument_of_new(flat[index + 1 :])):
                self.found.append((part.line, "new"))


def type_before(expression: list) -> list[str]:
    """The words of the type in front of a brace: `std :: array` of `std::array<int, 2>{`."""
    words: list[str] = []
    depth = 0
    for part in reversed(expression):
        text = part.text if isinstance(part, Token) else ""
        depth += (text == ">") - (text == "<")
        if depth > 0 or text == "<":
            continue
        if not re.fullmatch(r"\w+|::", text) or text in (*AWAITS, "co_return", "return"):
            break
        words.insert(0, text)
    return words


def is_options(braces: Braces) -> bool:
    """Those of the library have nothing to destroy, and so neither have their fields."""
    first = braces.inside[0] if braces.inside else None
    return isinstance(first, Token) and first.text == "."


def fields_of_options(expression: list) -> Iterator:
    for part in flatten(expression):
        if isinstance(part, Braces) and is_options(part):
            yield from flatten(part.inside)


def is_harmless(braces: Braces) -> bool:
    """No aggregate temporary with something to destroy: `{}`, options with designators, classes
    with constructors."""
    first = braces.inside[0] if braces.inside else None
    if is_options(braces):
        return True
    if not braces.type:
        return first is None
    return braces.type[0] in HARMLESS and "array" not in braces.type


def captures_by_value(captures: list) -> bool:
    for capture in split(captures, ","):
        words = [part.text if isinstance(part, Token) else "{}" for part in capture]
        if words and words[0] not in ("&", "&&") and words != ["this"]:
            return True
    return False


def argument_of_new(expression: list) -> list:
    """What is in the brackets of `new Type(...)`."""
    argument, depth = [], 0
    for part in expression:
        text = part.text if isinstance(part, Token) else ""
        if text == "(":
            depth += 1
        elif text == ")":
            depth -= 1
        elif depth == 0 and not re.fullmatch(r"[\w:<>,*& ]+", text):
            break
        if depth > 0:
            argument.append(part)
        elif text == ")":
            break
    return argument


def check_text(text: str) -> list[tuple[int, str]]:
    lines = text.split("\n")
    found = sorted(set(Checker(text).found))
    return [(line, rule) for line, rule in found if "// awaits-ok: " not in lines[line - 1]]


def self_test() -> int:
    """Each case is `good: CODE` or `RULE: CODE`, for code inside a coroutine."""
    failures = 0
    path = ROOT / "tools" / "check_awaits_cases.txt"
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        expected, code = line.split(": ", 1)
        rules = {rule for _, rule in check_text(f"Coroutine<> f(int x) {{ {code} }}\n")}
        if rules != (set() if expected == "good" else {expected}):
            print(f"{path.name}:{number}: found {rules or 'nothing'}: {line}")
            failures += 1
    return failures


def main() -> int:
    paths = [pathlib.Path(argument).resolve() for argument in sys.argv[1:]]
    failures = 0
    if not paths:
        failures += self_test()
        paths = [ROOT / name for name in ("include", "src", "examples", "tests", "tools")]
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])]
    for file in sorted(file for file in files if file.suffix in (".cpp", ".hpp")):
        if len(sys.argv) == 1 and any(folder in file.parents for folder in EXCLUDED):
            continue
        for line, rule in check_text(file.read_text()):
            print(f"{file}:{line}: {RULES[rule]}")
            failures += 1
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
