from nymproxy import MixnetClient

client = MixnetClient()
