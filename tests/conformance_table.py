#!/usr/bin/env python3
"""Writes the conformance table, docs/conformance.md, from the results of the suite `conformance`.

    tests/conformance_table.py [REPORT] [--output FILE]

REPORT is GoogleTest's JSON report of the suite, build/release/test-results/conformance.json as tests/run.py leaves it.
Every test with a transport as its parameter is a cell. Exits 1 if one failed, or a behavior has no test."""
import sys

from report_table import arguments, head, line, tests

# Behavior -> the tests that show it.
BEHAVIORS = {
    "echo of any size": ["EchoesAnySize"],
    "32 MiB, compared byte by byte": ["CarriesABigTransferByteByByte"],
    "half-close": ["EachSideClosesByItself"],
    "codes of reset and stop": ["TheCodesOfResetAndStopArrive", "ExtremeCodesArriveAsTheyAre", "AStoppedWriterIsTold"],
    "back-pressure, bounded memory": ["AReaderThatStopsStopsTheWriterAndResumes",
                                      "HeldBytesStayWhereTheyAreUntilTheyAreConsumed"],
    "10,000 streams in sequence": ["TenThousandStreamsOneAfterTheOther"],
    "1,000 streams at once, the peer's limit kept": ["AThousandStreamsAtOnceWaitForTheirTurn",
                                                     "TwoHundredStreamsAtOnce"],
    "limits of connections, in all and of one peer": ["AConnectionBeyondTheLimitIsRefusedUntilAnotherHasEnded",
                                                      "ConnectionsOfOnePeerAreLimitedAndOthersAreNot"],
    "unknown protocol": ["AnUnsupportedProtocolIsRefusedAndNothingElse"],
    "wrong peer id": ["AWrongPeerNamesBothIds"],
    "open during close": ["AStreamOpenedWhileTheConnectionClosesEndsOnce", "StreamsThatWaitEndWithTheConnection"],
    "close inside every callback": ["TheConnectionMayEndInsideEveryCallback",
                                    "TheConnectionMayBeClosedFromInsideAnyCallback",
                                    "ClosingTheConnectionEndsItsStreamsOnce"],
    "stop inside every callback, at any moment of a dial": ["ANodeMayStopInsideEveryCallback",
                                                            "ANodeMayStopAtAnyMomentOfADial",
                                                            "GivingUpAClaimAtAnyMomentIsSilent",
                                                            "StoppingANodeEndsEverythingAtItsPeerToo",
                                                            "StoppingANodeWhileItDialsDeliversNothing"],
    "both dial at once; a second dial reuses the connection; one to oneself is refused": [
        "BothMayDialAtOnce", "OneConnectionServesAllDialsOfAPeer", "ADialToOneselfIsRefused"],
    "many nodes on one loop": ["ManyNodesOnOneLoop"],
    "ping, identify": ["PingAndIdentifyWork"],
    "writes after the end refused": ["WritingAfterTheEndIsRefused"],
    "peer killed": ["IsNoticedByItsConnectionsAndStreams"],
    "deadlines on a dead line": ["ADeadLineEndsStreamsAndTheConnectionAtTheirDeadlines"],
    "bytes cut, delayed and held back at random": ["BytesArriveWholeHoweverTheyAreCutAndDelayed"],
    "line broken at a random byte": ["ALineThatBreaksAnywhereEndsEverythingWithAnError"],
    "random byte changed": ["AByteThatChangesAnywhereEndsTheConnectionAndIsNotDelivered"],
}
TEXT = """\
# Conformance

One set of behaviors, the same on every transport. Written by `tests/conformance_table.py` from a run of the suite
`conformance` on {date}; not edited by hand. To repeat it: `./dev test`, then `tests/conformance_table.py`.

"""
LEGEND = """\

*sim* is the stack of TCP (upgrade, secure channel, muxer) in virtual time, on lines that cut, delay and hold back bytes as a
seed says; the last three rows give each of {seeds} lines its own faults. `-`: does not apply. mplex has no flow control
and no codes: there *back-pressure* is the reset of the stream whose reader is too slow, within bounded memory, and no code
arrives but 0. With ASan, which runs the suite too, transfers are shorter and seeds fewer.
"""
SEEDS = 60


def main():
    report, output = arguments(__doc__, "conformance", "docs/conformance.md")
    results, transports = {}, []
    shown = {name for names in BEHAVIORS.values() for name in names}
    for name, transport, test in tests(report):
        if name in shown and transport and transport not in transports:
            transports.append(transport)
        value = "-" if test.get("result") == "SKIPPED" else "fails" if test.get("failures") else "ok"
        results.setdefault(name, {})[transport] = value
    text = TEXT.format(date=report["timestamp"][:10])
    text += head(["", *(t.replace("_", " ") for t in transports)])
    is_good = bool(transports)
    for behavior, names in BEHAVIORS.items():
        cells = []
        for transport in transports:
            values = {results.get(name, {}).get(transport, "-") for name in names}
            cells.append("fails" if "fails" in values else "ok" if "ok" in values else "-")
        is_good = is_good and "fails" not in cells and "ok" in cells
        text += line([behavior, *cells])
    output.write_text(text + LEGEND.format(seeds=SEEDS))
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
