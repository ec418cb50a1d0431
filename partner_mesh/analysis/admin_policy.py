def address_sets(world): return ()
def tiers(universe, notes): return []
