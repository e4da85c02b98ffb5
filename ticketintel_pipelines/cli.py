"""`ticketintel`: the pipeline from a terminal. Parses, calls, prints; exit codes are those of `errors.py`."""

import argparse
import errno
import os
import sys
from collections.abc import Sequence

from ticketintel_pipelines.commands.archive import declare_archive
from ticketintel_pipelines.commands.demo import declare_demo
from ticketintel_pipelines.commands.erase import declare_erase
from ticketintel_pipelines.commands.hold import declare_hold
from ticketintel_pipelines.commands.intake import declare_extract, declare_import, declare_withdraw
from ticketintel_pipelines.commands.models import declare_models
from ticketintel_pipelines.commands.psql import declare_psql
from ticketintel_pipelines.commands.purge import declare_purge
from ticketintel_pipelines.commands.runs import declare_run, declare_status
from ticketintel_pipelines.commands.simulate import declare_simulate
from ticketintel_pipelines.commands.up import declare_up
from ticketintel_pipelines.commands.watch_list import declare_watch_list
from ticketintel_pipelines.errors import EXIT_BAD_INPUT, TicketIntelError, UnavailableError
from ticketintel_pipelines.redaction import redact_tracebacks, redacted
from ticketintel_pipelines.settings import VARIABLES

DECLARED = (
    declare_demo,
    declare_up,
    declare_simulate,
    declare_import,
    declare_watch_list,
    declare_extract,
    declare_models,
    declare_withdraw,
    declare_run,
    declare_status,
    declare_archive,
    declare_purge,
    declare_hold,
    declare_erase,
    declare_psql,
)
"""In the order in which `--help` lists the commands."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    redact_tracebacks()
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except TicketIntelError as error:
        print(f"ticketintel: {redacted(str(error))}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            print(f"ticketintel: {error.filename or 'the system'}: {error.strerror}; name another place", file=sys.stderr)
            return EXIT_BAD_INPUT
        full = UnavailableError(f"the disk is full ({error.filename or 'while writing'}); free some space and run again")
        print(f"ticketintel: {full}", file=sys.stderr)
        return full.exit_code
    except KeyboardInterrupt:
        print("ticketintel: stopped; run the same command again to go on", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ticketintel",
        description="Nightly batch pipeline of an NFT ticketing platform.",
        epilog="environment:\n" + "\n".join(f"  {v.name}: {v.description} [{v.default or 'unset'}]" for v in VARIABLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    for declare in DECLARED:
        declare(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
