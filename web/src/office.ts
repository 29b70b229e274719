// The screens of supervisors, administrators and the hub, and those that an officer
// seldom opens: a script of its own, so that officers get to work with less.
import './text/office'
import './views/accounts'
import './views/audit'
import './views/desk'
import './views/devices'
import './views/erasures'
import './views/held'
import './views/hub'
import './views/moves'
import './views/openers'
import './views/tally'
