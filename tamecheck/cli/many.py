"""Many items at once: the same verb on each, by processes or any executor, one JSON line an item.

An answer is that of the verb alone, with the item before it; the seconds that it took are left out
unless they are asked for, so that the same question has the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import tamecheck
from tamecheck.cli.answer import claim, error_document, message, print_json, working, write_sarif
from tamecheck.cli.deadline import MEMORY, deadline
from tamecheck.cli.items import FORMAT, Item, Line, items_of, part_of, sha256_of_items
from tamecheck.errors import EndedError, InputError, MemoryLimitError, TimeLimitError, visible

if TYPE_CHECKING:
    from tamecheck.loaders.outputs import Journal

_UNNEEDED = frozenset(("parser", "options", "more", "heard"))
_RUNNING = _UNNEEDED | frozenset(
    (
        *(
            "run",
            "answers",
            "last_words",
            "many",
            "serves",
            "verb",
            "workers",
            "shard",
            "results",
            "times",
        ),
        *("json", "json_lines", "quiet", "force", "sarif"),
    )
)
"""Arguments that say how it is run and what is written, and nothing of the answers."""
_GRAVEST = (0, 1, 3, 4, 5, 2)
"""Exit codes from the lightest to the gravest."""
_SELDOM = 30.0
"""Seconds between two messages where no terminal shows them in place."""
_BEFORE = ("item", "arguments", "sha256")
_PART = 8
"""How many items executors of others take at once."""


def run_many(args: Namespace) -> int:
    """Answer each item; print or write a line for each, and give the gravest exit code."""
    everything = items_of(args)
    items = part_of(everything, args.shard)
    _check_files(args)
    sarif = getattr(args, "sarif", None) is not None
    with _results(args, everything, items) as (kept, journal):
        lines = {line["item"]: line for line in kept}
        left = [item for item in items if item.number not in lines]
        words = Counter(map(_word, lines.values()))
        codes = {line["exit_code"] for line in lines.values()}
        with _progress(args, len(items), len(lines)) as step:
            answers = _in_turn(args, left) if journal is None else answers_of(args, left)
            for line, brief in answers:
                codes.add(line["exit_code"])
                words[_word(line)] += 1
                step()
                if journal is None:
                    _print(args, line, brief)
                else:
                    journal.append(line)
                if journal is not None or sarif:
                    lines[line["item"]] = line
    if journal is not None:
        _finish(args, everything, items, kept, lines)
    if sarif:
        write_sarif(args, [lines[item.number] for item in items])
    code = max(codes, key=_GRAVEST.index, default=0)
    _summarise(args, len(items), words, code)
    return code


def lines_of(args: Namespace, executor: Any = None) -> Iterator[Line]:
    """The line of each item in turn, by an executor."""
    items = part_of(items_of(args), args.shard)
    return (line for line, _ in _in_turn(args, items, executor))


def answers_of(
    args: Namespace, items: Sequence[Item], executor: Any = None
) -> Iterator[tuple[Line, str]]:
    """The line of each item and its answer in few words, in the order in which they come."""
    from tamecheck.solvers.executors import answers_as_they_come, count_cores, executor_of

    if executor is not None and args.memory is not None:
        raise InputError("--memory is for processes of tamecheck's own.")
    work = partial(answer_items, shared_of(args))
    # a process that ends costs the item that it had
    size = 1 if executor is None else _PART
    parts = [items[at : at + size] for at in range(0, len(items), size)]
    workers = max(1, min(args.workers or count_cores(), len(parts)))
    with executor_of(executor, workers, args.memory) as pool:
        for _, found in answers_as_they_come(work, parts, pool, partial(_ended, args)):
            yield from found


def shared_of(args: Namespace) -> dict[str, Any]:
    """The arguments that another process needs."""
    return {name: value for name, value in vars(args).items() if name not in _UNNEEDED}


def answer_alone(shared: Mapping[str, Any]) -> Line:
    """What the verb says of the one thing that its arguments name, with its exit code."""
    line, _ = _answer({**shared, "times": True, "many": ()}, Item(0, {}, {}))
    return {key: value for key, value in line.items() if key not in _BEFORE}


def answer_items(shared: Mapping[str, Any], items: Sequence[Item]) -> list[tuple[Line, str]]:
    """The lines of items; what they have in common are the other arguments."""
    return [_answer(shared, item) for item in items]


def _answer(shared: Mapping[str, Any], item: Item) -> tuple[Line, str]:
    """What the verb says of an item alone, with the item before it."""
    heard: list[tuple[Mapping[str, Any], str]] = []

    def hear(document: Mapping[str, Any], text: Any) -> None:
        heard.append((document, text if isinstance(text, str) else ""))

    # the processes are for the items
    alone = {"workers": 1, "json": True, "quiet": True, "heard": hear}
    args = Namespace(**{**shared, **item.values, **alone})
    if getattr(args, "output", None) is not None:
        args.output = _certificate(args, item)
    if args.memory is not None:
        os.environ[MEMORY] = str(args.memory)
    # another thread cannot be interrupted; the verbs keep the time themselves as well as they can
    main = threading.current_thread() is threading.main_thread()
    try:
        with deadline(args.timeout, answers=args.answers) if main else nullcontext():
            code = args.run(args)
    except Exception as error:  # noqa: BLE001 (as on the command line: an answer says what it was)
        return _failure(args, item, error)
    document, brief = heard[-1]
    return _line(args, item, code, document), brief


def _certificate(args: Namespace, item: Item) -> str:
    """The certificate's file: what the list says, or one by the item's number in the folder."""
    if "output" in item.given:
        return args.output
    suffix = ".vipr" if getattr(args, "proof", None) is not None else ".json"
    return str(Path(args.output) / f"{item.number:06}{suffix}")


def _failure(args: Namespace, item: Item, error: Exception) -> tuple[Line, str]:
    document = error_document(error)
    return _line(args, item, document.pop("exit_code"), document), document["error"]


def _ended(
    args: Namespace, items: Sequence[Item], error: EndedError | MemoryLimitError
) -> list[tuple[Line, str]]:
    """What is said of an item whose process ended."""
    (item,) = items
    timeout = item.values.get("timeout", args.timeout)
    late = isinstance(error, EndedError) and error.status == 3 and timeout is not None
    said = TimeLimitError(f"Out of time after {timeout:g} s.") if late else error
    return [_failure(args, item, said)]


def _line(args: Namespace, item: Item, code: int, document: Mapping[str, Any]) -> Line:
    files = [place.name for place in args.many if isinstance(item.values.get(place.name), str)]
    return {
        "item": item.number,
        "arguments": dict(item.given),
        "sha256": {name: sha256_of(item.values[name]) for name in files},
        "exit_code": code,
        **(document if args.times else _timeless(document)),
    }


def sha256_of(path: str) -> str | None:
    """The SHA-256 of a file as it is; None if it cannot be read."""
    try:
        there = Path(path).stat()
        return _sha256(path, there.st_mtime_ns, there.st_size)
    except OSError:
        return None


@lru_cache(maxsize=64)
def _sha256(path: str, _changed: int, _size: int) -> str:
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _timeless(value: Any) -> Any:
    """An answer without the seconds that it took."""
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Any]", value).items()
        return {k: None if k == "seconds" else _timeless(v) for k, v in members}
    if isinstance(value, list):
        return [_timeless(one) for one in cast("list[Any]", value)]
    return value


# --- in turn, or into a file ---------------------------------------------------------------------


def _in_turn(
    args: Namespace, items: Sequence[Item], executor: Any = None
) -> Iterator[tuple[Line, str]]:
    """The lines in the order of the items."""
    held: dict[int, tuple[Line, str]] = {}
    waiting = iter(items)
    following = next(waiting, None)
    for line, brief in answers_of(args, items, executor):
        held[line["item"]] = (line, brief)
        while following is not None and following.number in held:
            yield held.pop(following.number)
            following = next(waiting, None)


def _check_files(args: Namespace) -> None:
    """Refuse places for files before anything is worked out."""
    if args.workers is not None and args.workers < 1:
        raise InputError(f"--workers {args.workers} is no positive number.")
    claim(args, args.results, "list of answers")
    claim(args, getattr(args, "sarif", None), "result log")
    if getattr(args, "output", None) is not None:
        if args.verb == "explain":
            raise InputError("-o is for the rows of one table.", hint="Give --results FILE.")
        from tamecheck.loaders.outputs import make_folder

        make_folder(args.output)


@contextmanager
def _results(
    args: Namespace, everything: Sequence[Item], items: Sequence[Item]
) -> Generator[tuple[tuple[Line, ...], Journal | None]]:
    """The answers that an earlier run wrote of files as they are now, and where others go."""
    if args.results is None:
        yield (), None
        return
    from tamecheck.loaders.outputs import journal

    head = _question(args, everything)
    with journal(args.results, "list of answers", FORMAT, head, force=args.force) as found:
        if found.cut:
            message(args, "The last line was unfinished; it is written again.")
        numbers = {item.number: item for item in items}
        # of two lines about an item the later one counts
        lines = {line.get("item"): line for line in found.kept}
        if not lines.keys() <= numbers.keys():
            raise InputError("The file has answers about other items.", where=args.results)
        yield tuple(line for line in lines.values() if _is_current(line, numbers)), found


def _is_current(line: Line, items: Mapping[int, Item]) -> bool:
    """Whether a line is whole, and the files of its item are still what they were."""
    known, values = line.get("sha256"), items[line["item"]].values
    if line.get("exit_code") not in _GRAVEST or not isinstance(known, dict):
        return False
    files = cast("dict[str, Any]", known)
    return all(sha256_of(str(values.get(name))) == files[name] for name in files)


def _question(args: Namespace, everything: Sequence[Item]) -> dict[str, Any]:
    """What the answers depend on, but for the contents of files."""
    said = {
        name: value
        for name, value in vars(args).items()
        if name not in _RUNNING and value not in (None, False, [], "")
    }
    return {
        "verb": args.verb,
        "tamecheck": tamecheck.__version__,
        "arguments": said,
        "items": len(everything),
        "sha256": sha256_of_items(everything),
        "times": args.times,
        "shard": args.shard,
    }


def _finish(
    args: Namespace,
    everything: Sequence[Item],
    items: Sequence[Item],
    kept: tuple[Line, ...],
    lines: Mapping[int, Line],
) -> None:
    """Write the lines once more, in the order of the items, unless they are."""
    ordered = [lines[item.number] for item in items]
    if list(kept) != ordered:
        from tamecheck.loaders.outputs import write_journal

        write_journal(args.results, FORMAT, _question(args, everything), ordered)


# --- what is said --------------------------------------------------------------------------------


def _word(line: Line) -> str:
    """An answer in one word."""
    for name in ("verdict", "status"):
        if isinstance(line.get(name), str):
            return line[name]
    return "errors" if "error" in line else "answered"


def _print(args: Namespace, line: Line, brief: str) -> None:
    if args.quiet and not args.json:
        name = " ".join(line["arguments"].values())
        said = brief or _word(line)
        print(visible(said if said.startswith(name) else f"{name}: {said}"))
    else:
        print_json(line)
    sys.stdout.flush()


def _summarise(args: Namespace, count: int, words: Counter[str], code: int) -> None:
    said = ", ".join(f"{n} {word}" for word, n in sorted(words.items()))
    if args.results is None:
        message(args, f"{count} items: {said}")
    elif args.json:
        print_json({"items": count, "words": dict(sorted(words.items())), "exit_code": code})
    else:
        print(visible(f"{count} items in {args.results}: {said}"))


@contextmanager
def _progress(args: Namespace, total: int, done: int) -> Generator[Callable[[], None]]:
    """Say now and then on stderr how many items are done, and how long the others will take."""
    begun, last = time.monotonic(), time.monotonic()
    new = 0
    with working(args, f"{done} of {total}") as show:

        def step() -> None:
            nonlocal new, last
            new, now = new + 1, time.monotonic()
            rest = (now - begun) / new * (total - done - new)
            text = f"{done + new} of {total}, {_duration(rest)} left"
            if show is not None:
                show(text)
            elif now - last >= _SELDOM:
                message(args, text)
                last = now

        yield step


def _duration(seconds: float) -> str:
    """A time to wait in words."""
    minutes = seconds / 60
    if minutes < 1.5:
        return f"{seconds:.0f} s"
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
