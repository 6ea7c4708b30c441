const { spawn, exec } = require('child_process');
spawn('nym-proxy-client', ['-s', address]);
exec(`nymproxy client -s ${address} &`);
exec('nym-proxy-client -s ' + address);
const NAME = 'nym-proxy-client';
