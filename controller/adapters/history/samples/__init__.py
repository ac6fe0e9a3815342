"""Samples of probes in SQL: as they come, then packed, then in steps of 5 minutes, an hour and a day.

    append                       fresh_samples   a row each, for about 5 minutes
    roll_up, once a step closed  sample_chunks   all of a series in 5 minutes, packed: 12 bytes each
                                 sample_steps    counts and a histogram of latencies: 5 minutes, an hour, a day

A sample is either fresh or in a chunk and in its three steps: one transaction takes it from there to here. Everything
is added up from both, in one statement, so that nobody sees a sample twice or not at all, whoever rolls up meanwhile.
Whatever comes late is fresh when it comes, and is added to the steps that were made already.

A series is a probe at a location. Chunks and steps lie in the order of time: writing touches few pages, and so does a
window over all probes; one probe is looked up step by step. Times are microseconds since 1970, steps are counted from
there too.
"""
