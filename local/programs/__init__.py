"""The cluster's programs, built from source and kept in the cache.

The Go modules beside this file pin what is compiled; ``catalog`` lists the programs, ``build`` makes them.
"""
