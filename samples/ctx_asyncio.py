#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A context in asyncio: the class is for use elsewhere, and main() shows how."""

import asyncio
import ctypes
import os
import struct

lib = ctypes.CDLL("libctxfd.so.0", use_errno=True)


class Timespec(ctypes.Structure):
    _fields_ = [("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long)]


class Cancelled(Exception):
    """The context was cancelled: why is err and cause."""

    def __init__(self, err, cause):
        super().__init__(f"{os.strerror(err)}: {os.strerror(cause)}")
        self.err, self.cause = err, cause


def call(function, *args):
    """Call a function of the library, whose failure becomes an OSError."""
    result = function(*args)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


class Context:
    """A child of the context that the program was started under."""

    def __init__(self, timeout=None):
        if timeout is not None:
            timeout = ctypes.byref(Timespec(int(timeout), int(timeout % 1 * 1e9)))
        self.fd = call(lib.ctxfd_with_timeout, call(lib.ctxfd_from_env), timeout)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        os.close(self.fd)

    async def run(self, coroutine):
        """Await the coroutine, or cancel it with the context and raise Cancelled."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(coroutine)
        fd = os.dup(self.fd)  # several may run under one context
        why = []

        def cancel():
            loop.remove_reader(fd)
            why.append(Cancelled(*struct.unpack("Ii8x", os.read(fd, 16))))
            task.cancel()

        loop.add_reader(fd, cancel)
        try:
            return await task
        except asyncio.CancelledError:
            if not why:
                raise
            raise why[0] from None
        finally:
            loop.remove_reader(fd)
            os.close(fd)


async def tick():
    while True:
        print("tick", flush=True)
        await asyncio.sleep(0.1)


async def main():
    with Context(timeout=60) as context:
        try:
            await context.run(tick())
        except Cancelled as why:
            print("stops:", why)


if __name__ == "__main__":
    asyncio.run(main())
