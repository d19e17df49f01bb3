"""Tell how good trained networks are: by numbers, by pictures, and by people.

::

    RUN, data set ──▶ contenders: identity, PU, ZH, FU of what was trained
                          │
                          ▼ measure: every picture of a split      (metrics, regions, drawings)
                      report.json, report.html, pictures/          (report, sheet)
                          │
                          ▼ people compare, blind                  (viewer)
                      results.csv ──▶ ranking                      (Bradley-Terry)
"""
