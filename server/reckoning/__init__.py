"""How deadlines are reckoned. Pure: values in, values out; no I/O, no clock, no database, no HTTP.

rules.py      what a rule and a year of holidays say
reading.py    a TOML file as rules, with everything that is wrong with it
workdays.py   which days are worked
spans.py      a time and so many hours, days, months or working days from it
clocks.py     what happened to a record, and the rules: its deadlines
steps.py      what is to be told of a deadline, and when
"""
