from partner_mesh.analysis.policies import Tier
def address_sets(world): return ()
def tiers(universe, policies, notes): return [Tier("default", 1e6, tuple(policies))]
