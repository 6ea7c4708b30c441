tail -f anonymizer.log | grep "Client created"
