"""What visits did, read from raw rows: goals, funnels, journeys, retention, who is there now.

Every function takes the site first, is called inside `tenants.schemas.entered(client)`, returns
frozen dataclasses and writes nothing, but for those in `segments` and `annotations` that say so.
Raw rows live for the client's retention period: an earlier day is empty here, not in the rollups.

Groups that a person chose by crossing dimensions and that hold fewer than k visitors are folded
or hidden (tracking.analysis.folding).
"""
