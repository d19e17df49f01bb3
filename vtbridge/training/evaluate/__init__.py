"""Tell how well the networks of a run do on characters that they never saw.

::

    RUN/ ──▶ networks ──▶ answers to each example of the split     (configurations, networks)
                             │
             truth ──────────┴──▶ marks a picture, then a table    (metrics, regions, measure)
                                       │
                    report.json ◀──────┴──▶ index.html, pictures/  (report, page, plots)
                                                │
                    choices.csv ◀── blind viewer ┘──▶ ranking       (ranking)

Nothing here learns: a report says what the files of a run do, bad results included.
"""
