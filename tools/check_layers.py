#!/usr/bin/env python3
"""Checks that each file of the library includes only its own layer and those below it.

Also: no cycles between headers; no header of the operating system below layer 4; preprocessor
conditions only in detail/config.hpp and src/proactors/. The layers: docs/architecture.md.
"""
# SPDX-License-Identifier: MIT
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')
CONDITION = re.compile(r"^\s*#\s*(if|ifdef|ifndef|elif|else)\b")

# A new file belongs here: its name without the ending, for a header and its source file alike.
# What is in detail/ has the layer of the public header that includes it; src/waiter.cpp belongs to
# lowlevel/waiter.hpp.
LAYERS = [
    # 0 vocabulary
    """
    exceptions
    time
    contextvars
    log
    lowlevel/intrusive
    detail/blocks
    detail/config
    detail/context_map
    detail/context_slot
    detail/function
    detail/owned
    detail/ssl_errors
    fork
    ssl_errors
    source_names
    """,
    # 1 loop
    """
    events
    lowlevel/callback
    lowlevel/executor
    lowlevel/inbox
    lowlevel/loop_resource
    lowlevel/operation
    lowlevel/proactor
    detail/handle
    debug_state
    timer_heap
    embedding_hooks
    run_scope
    """,
    # 2 tasks
    """
    cancel_scope
    coroutines
    generators
    futures
    result
    tasks
    timeouts
    with
    lowlevel/waiter
    detail/as_completed
    detail/error_or
    detail/future_base
    detail/gather
    detail/generator_base
    detail/outcome
    detail/scope
    detail/shield
    detail/sleep
    detail/task
    detail/task_base
    detail/wait
    lowlevel/checkpoint
    debug
    exception_handler
    report
    repr
    task_factory
    """,
    # 3 coordination
    """
    channels
    lowlevel/instrument
    taskgroups
    locks
    queues
    graph
    staggered
    detail/acquire
    detail/channel
    detail/event
    detail/lock
    detail/place
    detail/primitive
    detail/queue_awaiters
    detail/queue_base
    detail/queue_storage
    detail/semaphore
    """,
    # 4 input and output
    """
    sockets
    signals
    files
    file_calls
    file_core
    file_function
    file_io
    file_paths
    file_status
    file_system
    file_transfers
    file_watch
    grow_uncleared
    open_file
    whole_files
    signal_watch
    embedding
    threads
    thread_pool
    thread_queue
    detail/thread_queue
    detail/thread_queue_awaiters
    signals_blocked
    spawn
    spawn_child
    child
    addresses
    connect_socket
    descriptors
    detail/concurrent_future
    detail/message_operations
    detail/socket_operations
    detail/thread_call
    detail/thread_map
    detail/watch
    detail/work
    endpoints
    getaddrinfo
    getnameinfo
    loop_io
    short_address
    sock_sendfile
    socket_file
    unix_endpoints
    watches
    """,
    # 5 programs
    """
    transports
    protocols
    subprocess
    processes
    shutdown
    runners
    portal
    detail/portal
    streams
    servers
    datagrams
    datagram_output
    datagram_transport
    create_datagram_endpoint
    transport_of
    write_buffer_limits
    processes/call_list
    detail/processes/call
    detail/processes/codec
    detail/processes/connection
    processes/send_descriptors
    detail/processes/errors
    detail/processes/fields
    detail/processes/function
    detail/processes/map
    detail/processes/wire
    processes/death
    processes/exceptions
    processes/modules
    processes/pool
    processes/pool_thread
    processes/pool_worker
    processes/processes
    processes/protocol
    processes/server
    processes/server_process
    processes/startup
    detail/processes/shared_memory
    processes/trace
    processes/worker
    detail/server_ref
    detail/start_server
    detail/stream_drain
    detail/stream_handle
    detail/stream_read
    detail/wait_closed
    detail/create_connection
    detail/protocol_factory
    detail/views
    create_connection
    create_server
    protocol_transport
    descriptor_file
    file_to_send
    sendfile
    open_connection
    receive_text
    descriptor_connection
    descriptor_input
    descriptor_output
    outgoing
    receiver
    socket_connection
    stream_writer
    fed_stream
    stream_protocols
    stream_transport
    transport_connection
    tls_connection
    tls_handshake
    tls_input
    tls_output
    tls_settings
    pipes
    pipe_connection
    attach_protocol
    file_connection
    subprocess_transport
    subprocess_protocol
    ssl/bio
    ssl/certificate
    ssl/certificates
    ssl/context
    ssl/engine
    ssl/errors
    ssl/object
    ssl/openssl
    ssl/session
    ssl/ssl
    ssl
    detail/subprocess
    detail/ssl_types
    detail/tls_engine
    process_request
    process_state
    """,
]
LAYER = {name: layer for layer, names in enumerate(LAYERS) for name in names.split()}
UMBRELLA = "asyncio"


def layer_of(name: str) -> int | None:
    """The highest layer that the file may include; None if it is not in the table."""
    name = name.removeprefix("src/")
    if name.startswith("proactors/"):
        return 1
    if is_beside(name):
        return len(LAYERS)
    candidates = (name, "detail/" + name, "lowlevel/" + name)
    return next((LAYER[candidate] for candidate in candidates if candidate in LAYER), None)


def is_beside(name: str) -> bool:
    return name == UMBRELLA or name.removeprefix("src/").startswith(("proactors/", "testing/"))


def cycles(graph: dict[str, set[str]]) -> list[str]:
    """One line for each include cycle that a depth-first walk meets."""
    found, finished = [], set()

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            found.append("include cycle: " + " -> ".join(path[path.index(name):] + [name]))
        elif name not in finished:
            for target in sorted(graph.get(name, ())):
                visit(target, path + [name])
            finished.add(name)

    for name in sorted(graph):
        visit(name, [])
    return found


def main() -> int:
    problems = []
    headers: dict[str, set[str]] = {}
    files = sorted((ROOT / "include/asyncio").rglob("*.hpp")) + sorted((ROOT / "src").rglob("*.?pp"))
    for path in files:
        shown = path.relative_to(ROOT)
        base = ROOT if shown.parts[0] == "src" else ROOT / "include/asyncio"
        name = path.relative_to(base).with_suffix("").as_posix()
        layer = layer_of(name)
        if layer is None:
            problems.append(f"{shown}: in no layer; add it to LAYERS in tools/check_layers.py")
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            where = f"{shown}:{number}"
            if CONDITION.match(line) and name != "detail/config" and "proactors/" not in name:
                problems.append(f"{where}: preprocessor condition: {line.strip()}")
            include = INCLUDE.match(line)
            if not include:
                continue
            quote, included = include.groups()
            if included.startswith("asyncio/"):
                target = included.removeprefix("asyncio/").removesuffix(".hpp")
            elif quote == '"':
                neighbour = (path.parent / included).resolve()
                target = neighbour if neighbour.exists() else (ROOT / "src" / included)
                target = target.relative_to(ROOT).with_suffix("").as_posix()
            else:
                if layer < 4 and "proactors/" not in name and not re.fullmatch("[a-z_]+|cxxabi.h", included):
                    problems.append(f"{where}: <{included}> of the operating system, in layer {layer}")
                continue
            if path.suffix == ".hpp":
                headers.setdefault(name, set()).add(target)
            # proactors/ and testing/ are beside the layers: only what is beside them sees them.
            if is_beside(target) and not is_beside(name):
                problems.append(f"{where}: includes {target}, which is beside the layers")
            elif not is_beside(target) and (layer_of(target) is None or layer_of(target) > layer):
                problems.append(f"{where}: layer {layer} includes {target} of {layer_of(target)}")
    problems += cycles(headers)
    print("\n".join(problems) if problems else f"{len(files)} files, each in its layer")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
