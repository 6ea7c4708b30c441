nymproxy client -s $A
