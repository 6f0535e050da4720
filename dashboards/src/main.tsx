// Starts the page: theme, session, then the app.
import { render } from 'preact'
import 'uplot/dist/uPlot.min.css'
import './styles/tokens.css'
import './styles/base.css'
import './styles/parts.css'
import './styles/devices.css'
import './styles/device.css'
import './styles/explore.css'
import './styles/status.css'
import './styles/media.css'
import { App } from './app'
import { exposeForTests } from './live'
import { followPrint } from './print'
import { openSession } from './session'
import { followTheme } from './theme'

followTheme()
followPrint()
exposeForTests()
void openSession()

const root = document.getElementById('app')
if (root === null) throw new Error('index.html has no element #app')
// What was there before the script was.
root.replaceChildren()
render(<App />, root)
